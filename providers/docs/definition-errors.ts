import type { ErrorCode } from "../core/errors.ts";
import { listLeaves } from "../core/fields.ts";
import type { Definition } from "../core/resource.ts";

/** Codes that any call may end with, whatever it concerns. */
export const commonCodes: readonly ErrorCode[] = [
  "unauthenticated",
  "forbidden",
  "not-found",
  "wrong-state",
  "interrupted",
  "internal",
];

/** Why a code is raised. */
interface Cause {
  readonly code: ErrorCode;
  readonly when: string;
}

/** Codes that follow from a definition itself, each with when it is raised. Beside them are its `raises`, and {@link commonCodes}. */
export function listDefinitionErrors(
  definition: Definition,
  all: readonly Definition[],
): ReadonlyMap<ErrorCode, readonly string[]> {
  const { type, rules, quotas = {} } = definition;
  const references = listReferences(definition).map(({ path }) => path);
  const users = all.filter((other) => listReferences(other).some(({ to }) => to === type));
  const causes: readonly Cause[] = [
    { code: "invalid-input", when: "a field is missing, unknown, of another type or out of its bounds" },
    ...[...Map.groupBy(rules, ({ code = "invalid-input" }) => code)].map(([code, broken]) => ({
      code,
      when: `a rule of ${quote(broken.map(({ field }) => field))} does not hold`,
    })),
    ...ifAny(references, "unknown-reference", "there is nothing of the id in"),
    ...(definition.reservations === undefined
      ? []
      : [{ code: "conflict" as const, when: "another resource holds a value that may be there only once" }]),
    ...ifAny(Object.keys(quotas), "quota-exceeded", "the project's quota has too little left of"),
    ...ifAny(
      users.map((user) => user.type),
      "in-use",
      "it is to be removed, while there is of what refers to it:",
    ),
  ];
  const byCode = Map.groupBy(causes, ({ code }) => code);
  return new Map([...byCode].map(([code, found]) => [code, found.map(({ when }) => when)]));
}

function ifAny(names: readonly string[], code: ErrorCode, when: string): readonly Cause[] {
  return names.length === 0 ? [] : [{ code, when: `${when} ${quote(names)}` }];
}

function listReferences({ inputs }: Definition): readonly { readonly path: string; readonly to: string }[] {
  return [...listLeaves(inputs)].flatMap(({ path, policy }) =>
    policy?.references === undefined ? [] : [{ path, to: policy.references }],
  );
}

function quote(names: readonly string[]): string {
  return [...new Set(names)].map((name) => `\`${name}\``).join(", ");
}
