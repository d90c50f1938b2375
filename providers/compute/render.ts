import { readFileSync } from "node:fs";
import { join } from "node:path";
import Handlebars from "handlebars";
import { StackyardError } from "../core/errors.ts";
import { findPackageRoot } from "../core/package-root.ts";

/** What a template is given: plain values, nested. A field that a template names must be there, be it `undefined`. */
export interface TemplateContext {
  readonly [key: string]: TemplateValue;
}
export type TemplateValue =
  string | number | boolean | undefined | TemplateContext | readonly TemplateValue[];

/** Templates under `templates/libvirt`. */
export type XmlTemplate = "disk" | "domain" | "secret";
/** Templates whose text is lines: settings, flows, operations. */
export type TextTemplate =
  | "ceph/cluster.conf"
  | "ceph/client.conf"
  | "ceph/keyring"
  | "dnsmasq/network.conf"
  | "dnsmasq/port"
  | "systemd/stackyard.service"
  | "ovs/integration-bridge"
  | "ovs/underlay-bridge"
  | "ovs/integration-flows"
  | "ovs/network-flows"
  | "ovs/tunnel"
  | "ovs/dhcp-port"
  | "ovs/guest-port";

const engine = Handlebars.create();
/** Of `templates/libvirt`, those that others write into themselves. */
const partials = ["disk"] as const;
const compiled = new Map<string, Handlebars.TemplateDelegate>();

/**
 * Renders XML. Values are escaped; one with a character that XML cannot hold (or would not give back: line breaks) is refused.
 * Raises `invalid-input`.
 */
export function renderXml(template: XmlTemplate, context: TemplateContext): string {
  refuseCharacters(context, "");
  return load(`libvirt/${template}.xml`, false)(context);
}

/** Renders lines of text. A value with a line break or another control character is refused: it would begin a line of its own. Raises `invalid-input`. */
export function renderText(template: TextTemplate, context: TemplateContext): string {
  refuseCharacters(context, "");
  return load(template, true)(context);
}

/**
 * Renders operations of one `ovs-vsctl` transaction, one a line, as its words. A value with a blank is refused as well: it would begin a word of
 * its own.
 */
export function renderTransaction(template: TextTemplate, context: TemplateContext): readonly string[] {
  refuseBlanks(context, "");
  const lines = renderText(template, context)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return lines.flatMap((line) => ["--", ...line.split(/\s+/)]);
}

function load(name: string, noEscape: boolean): Handlebars.TemplateDelegate {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  for (const partial of partials) {
    if (engine.partials[partial] === undefined) {
      engine.registerPartial(partial, readTemplate(`libvirt/${partial}.xml`));
    }
  }
  const source = readTemplate(name);
  const template = engine.compile<TemplateContext>(source, {
    strict: true,
    knownHelpersOnly: true,
    noEscape,
  });
  compiled.set(name, template);
  return template;
}

function readTemplate(name: string): string {
  return readFileSync(join(findPackageRoot(), "templates", `${name}.hbs`), "utf8");
}

/** XML 1.0 section 2.2, less tab and line breaks: attributes give those back as blanks. */
const refusedCharacters = /[\p{Cc}\ufffe\uffff]/u;

function refuseCharacters(value: TemplateValue, path: string): void {
  if (typeof value === "string" && (refusedCharacters.test(value) || !value.isWellFormed())) {
    throw refusal(path, value, "a control character or a broken character");
  }
  visit(value, path, refuseCharacters);
}

function refuseBlanks(value: TemplateValue, path: string): void {
  if (typeof value === "string" && /\s/u.test(value)) throw refusal(path, value, "a blank");
  visit(value, path, refuseBlanks);
}

function visit(
  value: TemplateValue,
  path: string,
  check: (entry: TemplateValue, path: string) => void,
): void {
  if (typeof value !== "object") return;
  for (const [key, entry] of Object.entries(value)) check(entry, path === "" ? key : `${path}.${key}`);
}

function refusal(field: string, value: string, what: string): StackyardError {
  return new StackyardError("invalid-input", {
    message: `The value of ${field} holds ${what}, which the settings of a host cannot`,
    field,
    value,
    remedy: "Remove the character.",
  });
}
