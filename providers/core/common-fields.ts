import { z } from "zod";
import { field, type ChangeRule } from "./fields.ts";
import { isUuid, nameDevice } from "./ids.ts";
import type { Reservation } from "./resource.ts";

/** Anything but control, format, private and unassigned characters and line or paragraph separators. */
const printable = /^[^\p{C}\p{Zl}\p{Zp}]*$/u;
const blankAtAnEnd = /^\p{Zs}|\p{Zs}$/u;

/** Text of at most so many characters that can be shown in one line. */
export function printableSchema(maxChars: number): z.ZodString {
  return z
    .string()
    .max(maxChars, `Must have at most ${String(maxChars)} characters`)
    .refine(
      (text) => printable.test(text),
      "Must hold no line break, control or other unprintable character",
    );
}

/**
 * A name as OpenStack allows it: 1 to 255 printable characters, no blank at either end
 * (nova: `api/validation/parameter_types.py` name). Quotes, markup and shell syntax are legal.
 */
export function nameSchema(): z.ZodString {
  return printableSchema(255)
    .min(1, "Must not be empty")
    .refine((text) => !blankAtAnEnd.test(text), "Must not begin or end with a blank");
}

/** The name of a resource. Unset, it is the name that the stack's program gives the resource. */
export function nameField(policy: {
  readonly doc: string;
  readonly change?: ChangeRule;
}): z.ZodOptional<z.ZodString> {
  return field(nameSchema().optional(), {
    ...policy,
    doc: `${policy.doc} 1 to 255 printable characters. Default: the resource's name in the stack.`,
    computed: "plan",
  });
}

/** Free text about a resource, at most 255 characters. */
export function descriptionField(): z.ZodOptional<z.ZodString> {
  return field(printableSchema(255).optional(), { doc: "Free text for people, at most 255 characters." });
}

/** The id of another resource. */
export function idSchema(): z.ZodString {
  return z
    .string()
    .refine(
      isUuid,
      "Must be a resource of the program, or the id (lower-case uuid) of one; a name does not do",
    );
}

/** The project that owns a resource, for life; `data-loss` for a resource that stores data. */
export function projectField(change: "replace" | "data-loss" = "replace"): z.ZodOptional<z.ZodString> {
  return field(idSchema().optional(), {
    doc: "Project that owns it. Default: the project you are logged in to.",
    references: "project",
    change,
    computed: "apply",
  });
}

/** Holds the name of the device that hosts give a port or a network: two ids of the cloud may begin alike, by chance or on purpose, and devices must not. */
export function reserveDevice(id: string, field: string): Reservation {
  return { kind: "device", scope: "cloud", value: nameDevice(id), field };
}

/** Holds a name once within `scope`, which is a project's id or `cloud`; nothing while the name is not known. */
export function reserveName(
  type: string,
  scope: string | undefined,
  name: string | undefined,
): readonly Reservation[] {
  if (name === undefined || scope === undefined) return [];
  return [{ kind: `${type}-name`, scope, value: name, field: "name" }];
}
