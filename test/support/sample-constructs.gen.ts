// Generated from the definitions by providers/engines/cdktf/generate.ts. Do not edit.
import { ComplexObject, type IResolvable, type TerraformMetaArguments } from "cdktf";
import type { Construct } from "constructs";
import {
  OutputList,
  StackyardDataSource,
  StackyardProviderBase,
  StackyardResource,
} from "../../providers/engines/cdktf/resource.ts";

/** How the provider reaches the cloud; what is left out is the environment's. */
export interface StackyardProviderConfig {
  /** Name of the cloud: a folder in STACKYARD_HOME. Default: STACKYARD_CLOUD. */
  readonly cloud?: string | undefined;
  /** User. Default: STACKYARD_USERNAME. */
  readonly username?: string | undefined;
  /** Password of the user. Default: STACKYARD_PASSWORD. */
  readonly password?: string | undefined;
  /** File that holds the password. Default: STACKYARD_PASSWORD_FILE. */
  readonly passwordFile?: string | undefined;
  /** Project by name or id. Default: STACKYARD_PROJECT. */
  readonly project?: string | undefined;
  /**
   * What plans tell administrators of what would be done on the hosts, as warnings: off, brief or full.
   * Default: STACKYARD_PREVIEW.
   */
  readonly preview?: string | undefined;
  /**
   * Tells the resources of this configuration from those of others in the same cloud; ids follow from it.
   * Default: STACKYARD_STACK, else the working directory and the workspace.
   */
  readonly stack?: string | undefined;
  /** Name among several configurations of the provider. */
  readonly alias?: string | undefined;
}

/** The provider, which every stack needs: `new StackyardProvider(this, "stackyard")`. */
export class StackyardProvider extends StackyardProviderBase {
  constructor(scope: Construct, id: string, config: StackyardProviderConfig = {}) {
    super(scope, id, config);
  }
}

/** What a {@link Shelf} is to be. */
export interface ShelfConfig extends TerraformMetaArguments {
  /**
   * Name of the shelf. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Where it stands.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly room: string;
}

/** Holds boxes. Terraform's `stackyard_shelf`. */
export class Shelf extends StackyardResource {
  static readonly tfResourceType = "stackyard_shelf";

  constructor(scope: Construct, id: string, config: ShelfConfig) {
    const shape = { type: Shelf.tfResourceType, objects: {} };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /** Name of the shelf. 1 to 255 printable characters. Default: the resource's name in the stack. */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Where it stands. */
  get room(): string {
    return this.getStringAttribute("room");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataShelf} is found by. */
export interface DataShelfConfig extends TerraformMetaArguments {
  /** The id of the shelf. */
  readonly id?: string | undefined;
  /** The name of the shelf. */
  readonly name?: string | undefined;
}

/** Finds a {@link Shelf} that something else has made. */
export class DataShelf extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_shelf";

  constructor(scope: Construct, id: string, config: DataShelfConfig = {}) {
    const shape = { type: DataShelf.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /** Name of the shelf. 1 to 255 printable characters. Default: the resource's name in the stack. */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Where it stands. */
  get room(): string {
    return this.getStringAttribute("room");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

export interface DeepBoxSides {
  /** Text on the side. */
  readonly label: string;
  /**
   * Shelf it faces.
   * Takes the {@link Shelf} itself, or its id.
   */
  readonly faces?: Shelf | DataShelf | string | undefined;
}

/** `sides` of a {@link DeepBox}, as found. */
export class DeepBoxSidesOutput extends ComplexObject {
  /** Text on the side. */
  get label(): string {
    return this.getStringAttribute("label");
  }
  /** Shelf it faces. */
  get faces(): string {
    return this.getStringAttribute("faces");
  }
}

/** What a {@link DeepBox} is to be. */
export interface DeepBoxConfig extends TerraformMetaArguments {
  /**
   * Name of the box. 1 to 255 printable characters. Default: the resource's name in the stack.
   * Changing it is live: nothing stops.
   * @default the construct's id
   */
  readonly name?: string | undefined;
  /**
   * Shelf it stands on.
   * Takes the {@link Shelf} itself, or its id.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly shelf: Shelf | DataShelf | string;
  /**
   * Memory in MiB.
   * Changing it restarts the server (power cycle).
   * @default 64
   */
  readonly ramMib?: number | undefined;
  /**
   * Paint.
   * Changing it is live: nothing stops.
   */
  readonly color?: "red" | "blue" | (string & Record<never, never>) | undefined;
  /**
   * MAC address.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly mac?: string | undefined;
  /**
   * Owner.
   * Changing it replaces the resource: it is removed and made anew.
   */
  readonly owner?: string | undefined;
  /** Opens the box. It is kept in the state; `passphraseWo` is not. Give one of the two. */
  readonly passphrase?: string | undefined;
  /**
   * As `passphrase`, but kept neither in the plan nor in the state. Needs Terraform or OpenTofu 1.11, and
   * `passphraseWoVersion`.
   */
  readonly passphraseWo?: string | undefined;
  /** Any number; a change of it says that `passphraseWo` has changed. */
  readonly passphraseWoVersion?: number | undefined;
  /**
   * Other shelves.
   * Takes {@link Shelf} constructs, or their ids.
   * Changing it is live: nothing stops.
   * @default []
   */
  readonly neighbours?: readonly (Shelf | DataShelf | string)[] | undefined;
  /**
   * Its sides.
   * Changing it reboots the guest.
   * @default []
   */
  readonly sides?: readonly DeepBoxSides[] | IResolvable | undefined;
  /**
   * Labels.
   * Changing it is live: nothing stops.
   * @default {}
   */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** A box on a shelf. Terraform's `stackyard_deep_box`. */
export class DeepBox extends StackyardResource {
  static readonly tfResourceType = "stackyard_deep_box";

  constructor(scope: Construct, id: string, config: DeepBoxConfig) {
    const shape = { type: DeepBox.tfResourceType, objects: { sides: {} } };
    super(scope, id, shape, { ...config, name: config.name ?? id });
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /** Name of the box. 1 to 255 printable characters. Default: the resource's name in the stack. */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Shelf it stands on. */
  get shelf(): string {
    return this.getStringAttribute("shelf");
  }

  /** Memory in MiB. */
  get ramMib(): number {
    return this.getNumberAttribute("ram_mib");
  }

  /** Paint. */
  get color(): string {
    return this.getStringAttribute("color");
  }

  /** MAC address. */
  get mac(): string {
    return this.getStringAttribute("mac");
  }

  /** Owner. */
  get owner(): string {
    return this.getStringAttribute("owner");
  }

  /**
   * Opens the box.
   * Secret: an output of it must be sensitive.
   */
  get passphrase(): string {
    return this.getStringAttribute("passphrase");
  }

  /** Any number; a change of it says that `passphrase_wo` has changed. */
  get passphraseWoVersion(): number {
    return this.getNumberAttribute("passphrase_wo_version");
  }

  /** Other shelves. */
  get neighbours(): string[] {
    return this.getListAttribute("neighbours");
  }

  /** Its sides. */
  get sides(): OutputList<DeepBoxSidesOutput> {
    return new OutputList(this, "sides", DeepBoxSidesOutput);
  }

  /** Labels. */
  get labels(): Record<string, string> {
    return this.getStringMapAttribute("labels");
  }

  /** Where it answers. */
  get address(): string {
    return this.getStringAttribute("address");
  }

  /**
   * Its key.
   * Secret: an output of it must be sensitive.
   */
  get privateKey(): string {
    return this.getStringAttribute("private_key");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}

/** What a {@link DataDeepBox} is found by. */
export interface DataDeepBoxConfig extends TerraformMetaArguments {
  /** The id of the deep-box. */
  readonly id?: string | undefined;
  /** The name of the deep-box. */
  readonly name?: string | undefined;
}

/** Finds a {@link DeepBox} that something else has made. */
export class DataDeepBox extends StackyardDataSource {
  static readonly tfResourceType = "stackyard_deep_box";

  constructor(scope: Construct, id: string, config: DataDeepBoxConfig = {}) {
    const shape = { type: DataDeepBox.tfResourceType, objects: {} };
    super(scope, id, shape, config);
  }

  /** Id in the cloud, known in the plan. */
  get id(): string {
    return this.getStringAttribute("id");
  }

  /** Name of the box. 1 to 255 printable characters. Default: the resource's name in the stack. */
  get name(): string {
    return this.getStringAttribute("name");
  }

  /** Shelf it stands on. */
  get shelf(): string {
    return this.getStringAttribute("shelf");
  }

  /** Memory in MiB. */
  get ramMib(): number {
    return this.getNumberAttribute("ram_mib");
  }

  /** Paint. */
  get color(): string {
    return this.getStringAttribute("color");
  }

  /** MAC address. */
  get mac(): string {
    return this.getStringAttribute("mac");
  }

  /** Owner. */
  get owner(): string {
    return this.getStringAttribute("owner");
  }

  /** Other shelves. */
  get neighbours(): string[] {
    return this.getListAttribute("neighbours");
  }

  /** Its sides. */
  get sides(): OutputList<DeepBoxSidesOutput> {
    return new OutputList(this, "sides", DeepBoxSidesOutput);
  }

  /** Labels. */
  get labels(): Record<string, string> {
    return this.getStringMapAttribute("labels");
  }

  /** Where it answers. */
  get address(): string {
    return this.getStringAttribute("address");
  }

  /**
   * What the last refresh found different from the declaration, one line each. The next apply repairs it.
   */
  get drift(): string[] {
    return this.getListAttribute("drift");
  }
}
