import type { Weigher } from "../weigher.ts";

/** For a move that may leave its cell: hosts of the cell first (nova: scheduler/weights/cross_cell.py). */
export const crossCell: Weigher = {
  name: "CrossCellWeigher",
  minimum: undefined,
  multiplierKey: "cross_cell_move_weight_multiplier",
  multiplier: (options) => options.filter_scheduler.cross_cell_move_weight_multiplier,
  negated: false,
  prepare: ({ destination }) =>
    destination === null || destination.cell === null || !destination.allowCrossCellMove
      ? undefined
      : (host) => (host.cell === destination.cell ? 1 : -1),
};
