import { expect, it, test } from "vitest";
import { listLeaves } from "../../../providers/core/fields.ts";
import { toCamelCase, toSnakeCase } from "../../../providers/core/names.ts";
import { definitions } from "../../../providers/registry.ts";

it.each([
  ["name", "name"],
  ["ramMib", "ram_mib"],
  ["maxServersPerHost", "max_servers_per_host"],
  ["server-group", "server_group"],
])("%s is %s to Terraform", (name, snake) => {
  expect(toSnakeCase(name)).toBe(snake);
});

/** Every key of the registry's fields, at any depth. */
const keys = [
  ...new Set(
    definitions.flatMap(({ inputs, outputs }) =>
      [...listLeaves(inputs), ...listLeaves(outputs)].map(
        ({ path }) => path.split(/[.[\]]+/).findLast((part) => part !== "") ?? "",
      ),
    ),
  ),
];

test.each(keys)("%s comes back from Terraform as it went", (key) => {
  expect(toCamelCase(toSnakeCase(key))).toBe(key);
});

test.each(keys)("%s is an attribute that Terraform takes", (key) => {
  // terraform: internal/configs/configschema/internal_validate.go, `validName`
  expect(toSnakeCase(key)).toMatch(/^[a-z][a-z0-9_]*$/);
});

test("no field has a name that a resource block reserves", () => {
  // terraform: internal/configs/resource.go, `ResourceBlockSchema` and `commonResourceAttributes`
  const reserved = ["count", "for_each", "provider", "depends_on", "lifecycle", "connection", "provisioner"];
  expect(keys.map(toSnakeCase).filter((name) => reserved.includes(name))).toEqual([]);
});
