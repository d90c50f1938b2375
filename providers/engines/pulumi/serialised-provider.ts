/**
 * The text that Pulumi keeps in a resource's state as its provider. It is constant for a type: the installed package does the work, so
 * that a new release changes no state, shows in no diff, and also reads and deletes what older releases made.
 * It is written in users' state: never change it.
 */
export function serialisedProvider(type: string): string {
  return `exports.handler = () => require("stackyard/pulumi-provider").provider(${JSON.stringify(type)});`;
}
