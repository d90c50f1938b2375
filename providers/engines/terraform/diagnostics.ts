import type { Issue } from "../../core/cloud.ts";
import { encodedError, encodeError, StackyardError, toStackyardError } from "../../core/errors.ts";
import { escapeLines } from "../../core/escape.ts";
import type { Attribute, AttributeType } from "./schema.ts";

/** What Terraform shows beside a line of the configuration (tfplugin6: `Diagnostic`). */
export interface Diagnostic {
  readonly severity: 1 | 2;
  readonly summary: string;
  readonly detail: string;
  readonly attribute?: AttributePath;
}

/** Leads to an attribute, or to what is in it (tfplugin6: `AttributePath`). */
export interface AttributePath {
  readonly steps: readonly PathStep[];
}

type PathStep =
  | { readonly attribute_name: string }
  | { readonly element_key_string: string }
  | { readonly element_key_int: number };

const error = 1;
const warning = 2;

/** A path of ours, `networks.0.address`, as Terraform's. It ends where the schema does; `undefined` for a path that is none. */
export function toAttributePath(field: string, attributes: readonly Attribute[]): AttributePath | undefined {
  const steps: PathStep[] = [];
  let at: AttributeType | undefined = { kind: "object", attributes };
  for (const part of field.split(".")) {
    if (at === undefined) break;
    switch (at.kind) {
      case "object": {
        const attribute: Attribute | undefined = at.attributes.find(({ key }) => key === part);
        if (attribute === undefined) return steps.length === 0 ? undefined : { steps };
        steps.push({ attribute_name: attribute.name });
        at = attribute.type;
        break;
      }
      case "objects":
        steps.push({ element_key_int: Number(part) });
        at = { ...at, kind: "object" };
        break;
      case "list":
        steps.push({ element_key_int: Number(part) });
        at = at.element;
        break;
      case "map":
        steps.push({ element_key_string: part });
        at = at.element;
        break;
      case "string":
      case "number":
      case "bool":
        at = undefined;
    }
  }
  return { steps };
}

/** The path as Terraform writes it: `networks[0].address`. */
export function writePath({ steps }: AttributePath): string {
  return steps
    .map((step, index) => {
      if ("attribute_name" in step) return `${index === 0 ? "" : "."}${step.attribute_name}`;
      return `[${JSON.stringify("element_key_int" in step ? step.element_key_int : step.element_key_string)}]`;
    })
    .join("");
}

/** What is wrong with an input: the attribute and what is wrong, then code, value and remedy. */
export function describeIssue({ message, ...issue }: Issue, attributes: readonly Attribute[]): Diagnostic {
  const path = toAttributePath(issue.field, attributes);
  const place = path === undefined ? issue.field : writePath(path);
  return describeFailure(
    new StackyardError(issue.code, { ...issue, message: `${place} ${message}`.trim() }),
    attributes,
  );
}

/** Anything thrown: what it says, then causes, code, value and remedy. No stack. */
export function describeFailure(thrown: unknown, attributes: readonly Attribute[]): Diagnostic {
  const failure = toStackyardError(thrown, "the operation");
  const { code, remedy, notes, value } = encodedError.parse(encodeError(failure));
  const path = failure.field === undefined ? undefined : toAttributePath(failure.field, attributes);
  const lines = [
    ...notes,
    `Code: ${code}`,
    ...(value === undefined ? [] : [`Value: ${JSON.stringify(value)}`]),
    `Remedy: ${remedy}`,
  ];
  return {
    severity: error,
    summary: escapeLines(failure.message),
    detail: escapeLines(lines.join("\n")),
    ...(path === undefined ? {} : { attribute: path }),
  };
}

/** A warning; about an attribute, if `field` names one. */
export function warn(
  summary: string,
  detail: string,
  field?: string,
  attributes: readonly Attribute[] = [],
): Diagnostic {
  const path = field === undefined ? undefined : toAttributePath(field, attributes);
  return {
    severity: warning,
    summary: escapeLines(summary),
    detail: escapeLines(detail),
    ...(path === undefined ? {} : { attribute: path }),
  };
}
