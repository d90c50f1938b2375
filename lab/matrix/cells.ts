import { StackyardError } from "../../providers/core/errors.ts";
import type { Topology } from "../topology.ts";
import { topologyAxis } from "./matrix-file.ts";
import type { Matrix, Selection } from "./matrix-file.ts";

/** Most cells of a matrix, as of one workflow of GitHub Actions. */
const maxCells = 256;

/** One run of the command: a topology, and a value of each axis. */
export interface Cell {
  /** `three-hosts: datapath=netdev, storage=rbd`; of a topology alone its name. */
  readonly name: string;
  readonly topology: string;
  /** The other axes, in the order of the file. */
  readonly values: Selection;
}

/** The cells of one topology, which share its lab. */
export interface CellGroup {
  readonly topology: Topology;
  readonly cells: readonly Cell[];
}

/**
 * The cells of a matrix in the order in which they run: the topology that costs least first.
 *
 * `exclude` and `include` mean what they mean in GitHub Actions ("Running variations of jobs in a workflow"): an exclusion takes
 * away all cells that have its values; then an inclusion adds its other values to all cells of the product that have its values of
 * axes, or is a cell of its own where there is none.
 * @param only values that cells must have; several of one axis are alternatives.
 * @throws StackyardError `invalid-input` for values that no axis has, and for a matrix without cells or with more than {@link maxCells}.
 */
export function planCells(matrix: Matrix, only: readonly Selection[] = []): readonly CellGroup[] {
  const axes = new Map([[topologyAxis, [...matrix.topologies.keys()]], ...matrix.axes]);
  matrix.exclude.forEach((selection, index) => {
    requireKnown(axes, selection, `exclude.${String(index)}`);
  });
  const count = [...axes.values()].reduce((product, { length }) => product * length, 1);
  if (count > maxCells) throw tooMany(count);
  const product = multiply(axes).filter((cell) => !matrix.exclude.some((selection) => has(cell, selection)));
  const cells = include(matrix, axes, product);
  if (cells.length > maxCells) throw tooMany(cells.length);
  if (cells.length === 0) {
    throw new StackyardError("invalid-input", {
      message: "the matrix has no cell: all are excluded",
      field: "exclude",
      remedy: "Exclude fewer, or include one.",
    });
  }
  return group(matrix, select(cells, only));
}

function tooMany(count: number): StackyardError {
  return new StackyardError("invalid-input", {
    message: `the matrix has ${String(count)} cells, more than ${String(maxCells)}`,
    field: "axes",
    value: count,
    remedy: "Use fewer values, or several matrices.",
  });
}

function multiply(axes: ReadonlyMap<string, readonly string[]>): readonly Selection[] {
  return [...axes].reduce<readonly Selection[]>(
    (cells, [axis, values]) => cells.flatMap((cell) => values.map((value) => ({ ...cell, [axis]: value }))),
    [{}],
  );
}

function has(cell: Selection, selection: Selection): boolean {
  return Object.entries(selection).every(([axis, value]) => cell[axis] === value);
}

function requireKnown(
  axes: ReadonlyMap<string, readonly string[]>,
  selection: Selection,
  field: string,
): void {
  for (const [axis, value] of Object.entries(selection)) {
    const values = axes.get(axis);
    if (values === undefined) {
      throw new StackyardError("invalid-input", {
        message: `the matrix has no axis "${axis}"`,
        field,
        value: axis,
        remedy: `Its axes: ${[...axes.keys()].join(", ")}.`,
      });
    }
    if (values.includes(value)) continue;
    throw new StackyardError("invalid-input", {
      message: `the axis "${axis}" has no such value`,
      field: `${field}.${axis}`,
      value,
      remedy: `Its values: ${values.join(", ")}.`,
    });
  }
}

function include(
  { include: inclusions, topologies }: Matrix,
  axes: ReadonlyMap<string, readonly string[]>,
  product: readonly Selection[],
): readonly Selection[] {
  const added: Selection[] = [];
  const cells = [...product];
  inclusions.forEach((inclusion, index) => {
    const field = `include.${String(index)}`;
    const { topology } = inclusion;
    if (topology !== undefined)
      requireKnown(new Map([[topologyAxis, [...topologies.keys()]]]), { topology }, field);
    const ofAxes = Object.fromEntries(Object.entries(inclusion).filter(([axis]) => axes.has(axis)));
    const fitting = [...cells.keys()].filter((place) => has(cells[place] ?? {}, ofAxes));
    for (const place of fitting) cells[place] = { ...cells[place], ...inclusion };
    if (fitting.length > 0) return;
    if (topology === undefined) {
      throw new StackyardError("invalid-input", {
        message: "the inclusion fits no cell, and is none of its own: it names no topology",
        field,
        remedy: `Add topology: ${[...topologies.keys()].join(" or ")}.`,
      });
    }
    if ([...cells, ...added].some((cell) => isSame(cell, inclusion))) {
      throw new StackyardError("invalid-input", {
        message: "the inclusion is a cell that the matrix has already",
        field,
        remedy: "Remove one of the two.",
      });
    }
    added.push(inclusion);
  });
  return [...cells, ...added];
}

function isSame(one: Selection, other: Selection): boolean {
  return has(one, other) && has(other, one);
}

function select(cells: readonly Selection[], only: readonly Selection[]): readonly Selection[] {
  const wanted = Map.groupBy(
    only.flatMap((selection) => Object.entries(selection)),
    ([axis]) => axis,
  );
  const known = new Map<string, string[]>();
  for (const [axis, value] of cells.flatMap((cell) => Object.entries(cell)))
    known.set(axis, [...new Set([...(known.get(axis) ?? []), value])]);
  for (const selection of only) requireKnown(known, selection, "--only");
  const chosen = cells.filter((cell) =>
    [...wanted].every(([axis, choices]) => choices.some(([, value]) => cell[axis] === value)),
  );
  if (chosen.length > 0) return chosen;
  throw new StackyardError("invalid-input", {
    message: "the matrix has no cell with all of these values",
    field: "--only",
    value: [...wanted.values()]
      .flat()
      .map((pair) => pair.join("="))
      .join(", "),
    remedy: "See its cells: stackyard lab matrix FILE --list",
  });
}

function group({ topologies }: Matrix, cells: readonly Selection[]): readonly CellGroup[] {
  return [...topologies]
    .map(([key, topology]) => ({
      topology,
      cells: cells.filter((cell) => cell[topologyAxis] === key).map((cell) => nameCell(key, cell)),
    }))
    .filter((each) => each.cells.length > 0)
    .sort((one, other) => costOf(one.topology) - costOf(other.topology));
}

function nameCell(topology: string, cell: Selection): Cell {
  const values = Object.entries(cell).filter(([axis]) => axis !== topologyAxis);
  const words = values.map(([axis, value]) => `${axis}=${value}`).join(", ");
  return {
    name: words === "" ? topology : `${topology}: ${words}`,
    topology,
    values: Object.fromEntries(values),
  };
}

/**
 * What a topology costs, in hosts of namespaces, each half a second and 30 MiB: a virtual machine takes some twenty times as long
 * to start, and a Ceph four times. The same on each machine, so that the order is.
 */
export function costOf({ driver, hosts }: Topology): number {
  const cephHosts = hosts.filter(({ roles }) => roles.includes("ceph")).length;
  return (driver === "nested" ? 20 : 1) * hosts.length + 4 * cephHosts;
}
