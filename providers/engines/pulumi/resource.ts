import * as pulumi from "@pulumi/pulumi";
import { previewKey } from "./properties.ts";
import { serialisedProvider } from "./serialised-provider.ts";
import { typeToken } from "./type-token.ts";

/** What the base class must know of a resource type. */
export interface ResourceShape {
  /** As in the registry: `server-group`. */
  readonly type: string;
  /** Name of the class: `ServerGroup`. */
  readonly className: string;
  /** Every input and output. */
  readonly properties: readonly string[];
  readonly secretInputs: readonly string[];
  readonly secretOutputs: readonly string[];
}

/** What all resources of Stackyard have in common. */
export abstract class StackyardResource extends pulumi.CustomResource {
  /** The resource's id in the cloud. Unlike Pulumi's own `id`, a preview knows it before the resource is made. */
  declare readonly uuid: pulumi.Output<string>;
  /** What the last refresh found different from the declaration, one line each. The next update repairs it. */
  declare readonly drift: pulumi.Output<string[]>;

  protected constructor(
    shape: ResourceShape,
    name: string,
    args: object,
    options: pulumi.CustomResourceOptions = {},
  ) {
    if (options.import !== undefined) {
      // Pulumi's message would be "code must be a string": an import passes dynamic providers nothing, not even who they are.
      throw new pulumi.RunError(
        `${shape.className} ${JSON.stringify(name)}: Pulumi cannot import resources of dynamic providers. ` +
          `Remove the option, run stackyard pulumi import-file ${shape.type}/NAME --out import.json, and then the pulumi import that it prints.`,
      );
    }
    const token = typeToken(shape.type);
    const inputs: pulumi.Inputs = Object.fromEntries(
      Object.entries(args).map(([key, value]: [string, unknown]) => {
        const input = referById(value);
        return [key, input !== undefined && shape.secretInputs.includes(key) ? pulumi.secret(input) : input];
      }),
    );
    // The SDK keeps a stack trace with each of the four promises of each property: half of the time that a preview takes, for nothing but
    // PULUMI_DEBUG_PROMISE_LEAKS. Where the resource is declared it finds out with a limit of its own.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      super(
        token,
        name,
        {
          ...Object.fromEntries(shape.properties.map((key) => [key, undefined])),
          uuid: undefined,
          drift: undefined,
          ...inputs,
          __provider: serialisedProvider(shape.type),
          __urn: pulumi.createUrn(name, token, options.parent),
          __defaultName: name,
          ...(pulumi.runtime.isDryRun() ? { [previewKey]: true } : {}),
        },
        pulumi.mergeOptions(options, {
          additionalSecretOutputs: [...shape.secretOutputs],
          hideDiffs: ["__provider", "__urn", "__maker", "__defaultName", "__v", previewKey],
        }),
      );
    } catch (error) {
      Error.stackTraceLimit = stackTraceLimit;
      if (error instanceof Error) Error.captureStackTrace(error);
      throw error;
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }
}

/** Replaces resources by their ids, at any depth. */
function referById(value: unknown): unknown {
  if (value instanceof StackyardResource) return value.uuid;
  if (pulumi.Output.isInstance(value) || value instanceof Promise) {
    return pulumi.output(value).apply((inner: unknown) => pulumi.output(referById(inner)));
  }
  if (Array.isArray(value)) return value.map(referById);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]: [string, unknown]) => [key, referById(inner)]),
  );
}
