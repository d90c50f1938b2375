import { isReplacing, type ChangeLabel } from "./change.ts";
import type { Change, FieldChange } from "./cloud.ts";
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

/**
 * Warnings for one field of a change: what engines' own words (`update`, `replace`) do not say. What is made anew does not restart, though a field changes
 * that alone would restart it, such as an address that is chosen anew.
 */
export function warningFor(
  { field, label }: Pick<FieldChange, "field" | "label">,
  action: Change["action"],
): readonly string[] {
  if (action === "replace" && !isReplacing(label)) return [];
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
