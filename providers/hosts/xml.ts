import { XMLParser } from "fast-xml-parser";
import { z } from "zod";
import { StackyardError } from "../core/errors.ts";

/** An element of an XML document. Names are as written, with their prefix. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Text directly in the element, entities decoded. */
  readonly text: string;
}

/** `htmlEntities` decodes numeric references (`&#10;`) too. */
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: "",
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  htmlEntities: true,
  ignoreDeclaration: true,
});

const attributesKey = ":@";
const textKey = "#text";

/** With `preserveOrder`, each node has its name as its one key beside its attributes. */
const attributesSchema = z.record(z.string(), z.string());

/** Reads a document with the root element `rootName`. Raises `command-failed` where the text is something else. */
export function parseXml(text: string, rootName: string): XmlElement {
  let nodes: readonly XmlElement[];
  try {
    nodes = toElements(parser.parse(text));
  } catch (cause) {
    throw unexpected(`a host sent no XML where <${rootName}> was expected`, cause);
  }
  const root = nodes.find((node) => node.name === rootName);
  if (root === undefined) throw unexpected(`a host sent XML without <${rootName}>`);
  return root;
}

/** The elements at the end of a path of names, in order. */
export function elementsAt(element: XmlElement, ...path: readonly string[]): readonly XmlElement[] {
  return path.reduce<readonly XmlElement[]>(
    (found, name) => found.flatMap((parent) => parent.children.filter((child) => child.name === name)),
    [element],
  );
}

/** Text of the first element at a path. */
export function textAt(element: XmlElement, ...path: readonly string[]): string | undefined {
  return elementsAt(element, ...path)[0]?.text;
}

/** An attribute of the first element at a path that has it. */
export function attributeAt(
  element: XmlElement,
  attribute: string,
  ...path: readonly string[]
): string | undefined {
  return elementsAt(element, ...path).flatMap((found) => found.attributes[attribute] ?? [])[0];
}

/** The value, or `command-failed` where the document lacks it. */
export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw unexpected(`a host sent XML without ${what}`);
  return value;
}

function unexpected(message: string, cause?: unknown): StackyardError {
  return new StackyardError("command-failed", { message, ...(cause === undefined ? {} : { cause }) });
}

const textSchema = z.string();
const nodesSchema = z.array(z.record(z.string(), z.unknown()));

function toElements(nodes: unknown): readonly XmlElement[] {
  return nodesSchema.parse(nodes).flatMap((node) => {
    const name = Object.keys(node).find((key) => key !== attributesKey);
    return name === undefined || name === textKey ? [] : [toElement(name, node)];
  });
}

function toElement(name: string, node: Readonly<Record<string, unknown>>): XmlElement {
  const content = nodesSchema.parse(node[name]);
  return {
    name,
    attributes: attributesSchema.parse(node[attributesKey] ?? {}),
    children: toElements(content),
    text: content.map((child) => textSchema.parse(child[textKey] ?? "")).join(""),
  };
}
