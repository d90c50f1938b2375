/**
 * What a change does to a running server, from harmless to worst:
 * `live` nothing stops; `reboot` the guest restarts, same process; `restart` power cycle, new process;
 * `replace` the resource is removed and made anew under a new id; `data-loss` as replace, and stored data is gone.
 */
export const changeLabels = ["live", "reboot", "restart", "replace", "data-loss"] as const;
export type ChangeLabel = (typeof changeLabels)[number];

/** The worse of two labels. */
export function worseLabel(a: ChangeLabel, b: ChangeLabel): ChangeLabel {
  return changeLabels.indexOf(a) >= changeLabels.indexOf(b) ? a : b;
}

/** Whether a change with this label makes the resource anew. */
export function isReplacing(label: ChangeLabel): boolean {
  return label === "replace" || label === "data-loss";
}
