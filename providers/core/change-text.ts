import type { ChangeLabel } from "./change.ts";
import type { FieldChange } from "./cloud.ts";
import type { ChangeRule } from "./fields.ts";

/** What a change does, after "Changing it …". */
export function describeLabel(label: ChangeLabel): string {
  switch (label) {
    case "live":
      return "is live: nothing stops";
    case "reboot":
      return "reboots the guest";
    case "restart":
      return "restarts the server (power cycle)";
    case "replace":
      return "replaces the resource: it is removed and made anew";
    case "data-loss":
      return "replaces the resource, and the data on it is lost";
  }
}

/** What changing a field does, as a sentence of its documentation. */
export function describeChange(change: ChangeRule): string {
  return `Changing it ${typeof change === "string" ? describeLabel(change) : `is ${change.says}`}.`;
}

/** Warnings for a change of one field: what engines' own words (`update`, `replace`) do not say. */
export function warningFor({ field, label }: Pick<FieldChange, "field" | "label">): readonly string[] {
  switch (label) {
    case "live":
    case "replace":
      return [];
    case "reboot":
    case "restart":
    case "data-loss":
      return [`changing ${field} ${describeLabel(label)}`];
  }
}
