// Generated from ../cdktf/resource.ts by providers/engines/cdktf/generate.ts. Do not edit.
import {
  ComplexList,
  ImportableResource,
  TerraformDataSource,
  TerraformProvider,
  TerraformResource,
  Tokenization,
  type ComplexObject,
  type IInterpolatingParent,
  type TerraformMetaArguments,
} from "cdktn";
import type { Construct } from "constructs";
import { toSnakeCase } from "../../core/names.ts";
import { readPackageVersion } from "../../core/package-root.ts";
import { providerAddress } from "../terraform/install.ts";

/** The fields that are objects or lists of them, each with its own. All others, maps included, are written as they are given. */
export interface Objects {
  readonly [key: string]: Objects;
}

/** What the base classes must know of a resource type. */
export interface ConstructShape {
  /** `stackyard_server`. */
  readonly type: string;
  readonly objects: Objects;
}

/** The provider's name in a configuration, which the names of resource types begin with. */
const localName = "stackyard";

function describeGenerator(): { providerName: string; providerVersion: string } {
  return { providerName: localName, providerVersion: readPackageVersion() };
}

/** What all resources of Stackyard have in common. */
export abstract class StackyardResource extends TerraformResource {
  readonly #attributes: () => Attributes;

  protected constructor(
    scope: Construct,
    id: string,
    shape: ConstructShape,
    config: TerraformMetaArguments & { readonly name?: string | undefined },
  ) {
    super(scope, id, {
      ...config,
      terraformResourceType: shape.type,
      terraformGeneratorMetadata: describeGenerator(),
    });
    this.#attributes = () => writeAttributes(config, shape.objects);
  }

  /**
   * Lets `cdktf plan` write the configuration of a resource that exists, to be imported.
   * @param importToId - Id of the construct in what is written.
   * @param importFromId - What finds the resource: its id, its name, or `PROJECT/NAME`.
   */
  static generateConfigForImport(
    this: { readonly tfResourceType: string },
    scope: Construct,
    importToId: string,
    importFromId: string,
    provider?: TerraformProvider,
  ): ImportableResource {
    return new ImportableResource(scope, importToId, {
      terraformResourceType: this.tfResourceType,
      importId: importFromId,
      ...(provider === undefined ? {} : { provider }),
    });
  }

  protected override synthesizeAttributes(): Attributes {
    return this.#attributes();
  }

  protected override synthesizeHclAttributes(): Attributes {
    return toHclAttributes(this.#attributes());
  }
}

/** What all data sources of Stackyard have in common. */
export abstract class StackyardDataSource extends TerraformDataSource {
  readonly #attributes: () => Attributes;

  protected constructor(scope: Construct, id: string, shape: ConstructShape, config: TerraformMetaArguments) {
    super(scope, id, {
      ...config,
      terraformResourceType: shape.type,
      terraformGeneratorMetadata: describeGenerator(),
    });
    this.#attributes = () => writeAttributes(config, shape.objects);
  }

  protected override synthesizeAttributes(): Attributes {
    return this.#attributes();
  }

  protected override synthesizeHclAttributes(): Attributes {
    return toHclAttributes(this.#attributes());
  }
}

/** The provider without its typed settings. */
export abstract class StackyardProviderBase extends TerraformProvider {
  readonly #settings: Attributes;
  #alias: string | undefined;

  protected constructor(
    scope: Construct,
    id: string,
    { alias, ...settings }: { readonly alias?: string | undefined },
  ) {
    super(scope, id, {
      terraformResourceType: localName,
      terraformGeneratorMetadata: describeGenerator(),
      terraformProviderSource: providerAddress,
    });
    this.#alias = alias;
    this.#settings = settings;
  }

  /** Name among several configurations of the provider. */
  override get alias(): string | undefined {
    return this.#alias;
  }

  override set alias(alias: string | undefined) {
    this.#alias = alias;
  }

  protected override synthesizeAttributes(): Attributes {
    return writeAttributes(this.#settings, {});
  }

  protected override synthesizeHclAttributes(): Attributes {
    return toHclAttributes(this.synthesizeAttributes());
  }
}

/** A list of objects that the provider fills in. */
export class OutputList<Item extends ComplexObject> extends ComplexList {
  readonly #item: new (
    parent: IInterpolatingParent,
    attribute: string,
    isFromSet: boolean,
    index: number,
  ) => Item;

  constructor(
    parent: IInterpolatingParent,
    attribute: string,
    item: new (parent: IInterpolatingParent, attribute: string, isFromSet: boolean, index: number) => Item,
  ) {
    super(parent, attribute, false);
    this.#item = item;
  }

  /** The item at an index, from 0. Whether it is there shows in the plan. */
  get(index: number): Item {
    return new this.#item(this.terraformResource, this.terraformAttribute, false, index);
  }
}

/** Values by Terraform's names. */
type Attributes = Record<string, unknown>;

/** What a configuration holds beside the attributes; the library writes these itself. */
const metaArguments: ReadonlySet<string> = new Set<keyof TerraformMetaArguments>([
  "connection",
  "count",
  "dependsOn",
  "forEach",
  "lifecycle",
  "provider",
  "provisioners",
]);

function writeAttributes(config: object, objects: Objects): Attributes {
  return Object.fromEntries(
    Object.entries(config)
      .filter(([key, value]) => value !== undefined && !metaArguments.has(key))
      .map(([key, value]: [string, unknown]) => [toSnakeCase(key), writeValue(value, objects[key])]),
  );
}

/** A value as Terraform has it: references by id, the fields of objects by Terraform's names, tokens as they are. */
function writeValue(value: unknown, objects: Objects | undefined): unknown {
  if (TerraformResource.isTerraformResource(value) || TerraformDataSource.isTerraformDataSource(value))
    return value.getStringAttribute("id");
  if (Array.isArray(value)) return value.map((entry: unknown) => writeValue(entry, objects));
  if (
    objects === undefined ||
    typeof value !== "object" ||
    value === null ||
    Tokenization.isResolvable(value)
  ) {
    return value;
  }
  return writeAttributes(value, objects);
}

/** Attributes with the types that the library needs to print HCL. */
function toHclAttributes(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, toHcl(value)]));
}

function toHcl(value: unknown): object {
  const entry = { value, isBlock: false };
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return { ...entry, type: "simple", storageClassType: typeof value };
  if (Array.isArray(value)) {
    const first: unknown = value[0];
    if (typeof first !== "object" || first === null || Tokenization.isResolvable(first))
      return { ...entry, type: "list", storageClassType: `${typeof first}List` };
    return {
      ...entry,
      type: "list",
      storageClassType: "objectList",
      value: value.map((item: object) => toHclAttributes({ ...item })),
    };
  }
  return { ...entry, type: Tokenization.isResolvable(value) ? "any" : "map", storageClassType: "stringMap" };
}
