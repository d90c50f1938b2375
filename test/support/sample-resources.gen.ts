// Generated from the definitions by providers/engines/pulumi/generate.ts. Do not edit.
import type * as pulumi from "@pulumi/pulumi";
import { StackyardResource } from "../../providers/engines/pulumi/resource.ts";

/** What a {@link Shelf} is to be. */
export interface ShelfArgs {
  /**
   * Name of the shelf. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Where it stands.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly room: pulumi.Input<string>;
}

/** Holds boxes. */
export class Shelf extends StackyardResource {
  /** Name of the shelf. 1 to 255 printable characters. Default: the resource's name in the stack. */
  declare readonly name: pulumi.Output<string>;
  /** Where it stands. */
  declare readonly room: pulumi.Output<string>;

  constructor(name: string, args: ShelfArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "shelf",
      className: "Shelf",
      properties: ["name", "room"],
      secretInputs: [],
      secretOutputs: [],
    };
    super(shape, name, args, options);
  }
}

export interface DeepBoxSidesArgs {
  /** Text on the side. */
  readonly label: pulumi.Input<string>;
  /**
   * Shelf it faces.
   * Takes the {@link Shelf} itself, or its id.
   */
  readonly faces?: pulumi.Input<string> | Shelf | undefined;
}

/** What a {@link DeepBox} is to be. */
export interface DeepBoxArgs {
  /**
   * Name of the box. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   */
  readonly name?: pulumi.Input<string> | undefined;
  /**
   * Shelf it stands on.
   * Takes the {@link Shelf} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly shelf: pulumi.Input<string> | Shelf;
  /**
   * Memory in MiB.
   * Changing it restarts the server (power cycle).
   * @default 64
   */
  readonly ramMib?: pulumi.Input<number> | undefined;
  /**
   * Paint.
   * Changing it is live: nothing stops.
   */
  readonly color?: pulumi.Input<"red" | "blue"> | undefined;
  /**
   * MAC address.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly mac?: pulumi.Input<string> | undefined;
  /**
   * Owner.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly owner?: pulumi.Input<string> | undefined;
  /**
   * Opens the box.
   * Secret: encrypted in the state, never shown.
   * Changing it is live: nothing stops.
   */
  readonly passphrase?: pulumi.Input<string> | undefined;
  /**
   * Other shelves.
   * Takes {@link Shelf} resources, or their ids.
   * Changing it is live: nothing stops.
   * @default []
   */
  readonly neighbours?: pulumi.Input<pulumi.Input<string>[]> | (pulumi.Input<string> | Shelf)[] | undefined;
  /**
   * Its sides.
   * Changing it reboots the guest.
   * @default []
   */
  readonly sides?: pulumi.Input<pulumi.Input<DeepBoxSidesArgs>[]> | undefined;
  /**
   * Labels.
   * Changing it is live: nothing stops.
   * @default {}
   */
  readonly labels?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

export interface DeepBoxSides {
  /** Text on the side. */
  readonly label: string;
  /** Shelf it faces. */
  readonly faces?: string;
}

/** A box on a shelf. */
export class DeepBox extends StackyardResource {
  /** Name of the box. 1 to 255 printable characters. Default: the resource's name in the stack. */
  declare readonly name: pulumi.Output<string>;
  /** Shelf it stands on. */
  declare readonly shelf: pulumi.Output<string>;
  /** Memory in MiB. */
  declare readonly ramMib: pulumi.Output<number>;
  /** Paint. */
  declare readonly color: pulumi.Output<"red" | "blue" | undefined>;
  /** MAC address. */
  declare readonly mac: pulumi.Output<string>;
  /** Owner. */
  declare readonly owner: pulumi.Output<string>;
  /** Opens the box. */
  declare readonly passphrase: pulumi.Output<string | undefined>;
  /** Other shelves. */
  declare readonly neighbours: pulumi.Output<string[]>;
  /** Its sides. */
  declare readonly sides: pulumi.Output<DeepBoxSides[]>;
  /** Labels. */
  declare readonly labels: pulumi.Output<Record<string, string>>;
  /** Where it answers. */
  declare readonly address: pulumi.Output<string>;
  /** Its key. */
  declare readonly privateKey: pulumi.Output<string | undefined>;

  constructor(name: string, args: DeepBoxArgs, options?: pulumi.CustomResourceOptions) {
    const shape = {
      type: "deep-box",
      className: "DeepBox",
      properties: [
        "name",
        "shelf",
        "ramMib",
        "color",
        "mac",
        "owner",
        "passphrase",
        "neighbours",
        "sides",
        "labels",
        "address",
        "privateKey",
      ],
      secretInputs: ["passphrase"],
      secretOutputs: ["privateKey"],
    };
    super(shape, name, args, options);
  }
}
