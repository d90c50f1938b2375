import { describe, expect, test } from "vitest";
import {
  authorize,
  authorizeAdministration,
  isAllowed,
  type AccessRequest,
  type Verb,
} from "../../../providers/authenticate/policy.ts";
import { expandRoles, type Principal, type Role } from "../../../providers/authenticate/principal.ts";
import { newId, type ResourceId } from "../../../providers/core/ids.ts";
import { project } from "../../../providers/identity/project.ts";
import { roleAssignment } from "../../../providers/identity/role-assignment.ts";
import { user } from "../../../providers/identity/user.ts";
import { flavor } from "../../../providers/servers/flavor.ts";
import { volumeType } from "../../../providers/volumes/volume-type.ts";
import { serverGroup } from "../../../providers/servers/server-group.ts";

const own = newId<"resource">();
const foreign = newId<"resource">();

function withRole(role: Role, projectId: ResourceId | null = own): Principal {
  return {
    userId: newId(),
    userName: "demo",
    projectId,
    projectName: projectId === null ? null : "demo",
    roles: expandRoles([role]),
    isAdmin: false,
    tokenHash: "",
    issuedAtMs: 0,
    expiresAtMs: 1,
    issueDurationMs: 0,
  };
}

const administrator: Principal = { ...withRole("admin"), isAdmin: true };

function onGroup(verb: Verb, projectId: string = own): AccessRequest {
  return { verb, definition: serverGroup, projectId };
}

describe("roles include each other", () => {
  test.each([
    { assigned: [], expanded: [] },
    { assigned: ["reader"], expanded: ["reader"] },
    { assigned: ["member"], expanded: ["member", "reader"] },
    { assigned: ["reader", "admin"], expanded: ["admin", "member", "reader"] },
  ] as const)("$assigned is $expanded", ({ assigned, expanded }) => {
    expect(expandRoles(assigned)).toEqual(expanded);
  });
});

describe("resources of a project", () => {
  test.each([
    { role: "reader", verb: "read", allowed: true },
    { role: "reader", verb: "create", allowed: false },
    { role: "reader", verb: "update", allowed: false },
    { role: "reader", verb: "remove", allowed: false },
    { role: "reader", verb: { act: "reboot" }, allowed: false },
    { role: "member", verb: "read", allowed: true },
    { role: "member", verb: "create", allowed: true },
    { role: "member", verb: "update", allowed: true },
    { role: "member", verb: "remove", allowed: true },
    { role: "member", verb: { act: "reboot" }, allowed: true },
    { role: "admin", verb: "create", allowed: true },
  ] as const)("$role may $verb: $allowed", ({ role, verb, allowed }) => {
    expect(isAllowed(withRole(role), onGroup(verb))).toBe(allowed);
  });

  test("nobody but the administrator reaches into another project", () => {
    expect(isAllowed(withRole("admin"), onGroup("read", foreign))).toBe(false);
    expect(isAllowed(administrator, onGroup("remove", foreign))).toBe(true);
  });

  test("a token for the whole cloud reaches into each project, by its role", () => {
    expect(isAllowed(withRole("reader", null), onGroup("read", foreign))).toBe(true);
    expect(isAllowed(withRole("reader", null), onGroup("create", foreign))).toBe(false);
  });

  test("an action asks for the role that its definition names", () => {
    const definition = {
      ...serverGroup,
      actions: { show: { doc: "", input: project.outputs, role: "reader", run: () => Promise.resolve({}) } },
    } as const;

    expect(isAllowed(withRole("reader"), { verb: { act: "show" }, definition, projectId: own })).toBe(true);
  });
});

describe("resources of the cloud", () => {
  test.each([
    { definition: flavor, verb: "read", allowed: true },
    { definition: flavor, verb: "create", allowed: false },
    { definition: flavor, verb: "remove", allowed: false },
    { definition: volumeType, verb: "read", allowed: true },
    { definition: volumeType, verb: "create", allowed: false },
    { definition: project, verb: "read", allowed: false },
    { definition: user, verb: "read", allowed: false },
    { definition: user, verb: "create", allowed: false },
    { definition: roleAssignment, verb: "read", allowed: false },
    { definition: roleAssignment, verb: "create", allowed: false },
  ] as const)("project admin may $verb $definition.type: $allowed", ({ definition, verb, allowed }) => {
    expect(isAllowed(withRole("admin"), { verb, definition, projectId: null })).toBe(allowed);
  });

  test("everyone may see their own project and user", () => {
    const reader = withRole("reader");

    expect(isAllowed(reader, { verb: "read", definition: project, projectId: null, id: own })).toBe(true);
    expect(isAllowed(reader, { verb: "read", definition: user, projectId: null, id: reader.userId })).toBe(
      true,
    );
  });

  test("nobody may see another project or user", () => {
    expect(
      isAllowed(withRole("reader"), { verb: "read", definition: project, projectId: null, id: foreign }),
    ).toBe(false);
    expect(
      isAllowed(withRole("reader"), { verb: "read", definition: user, projectId: null, id: foreign }),
    ).toBe(false);
  });

  test("the administrator may do everything", () => {
    expect(isAllowed(administrator, { verb: "remove", definition: user, projectId: null, id: foreign })).toBe(
      true,
    );
  });
});

test("a refusal says in Nova's words what is missing and how to get it", () => {
  expect(() => authorize(withRole("reader"), onGroup("create"))).toThrow(
    expect.objectContaining({
      code: "forbidden",
      message: "Policy doesn't allow server-groups:create to be performed.",
      remedy: `Ask an administrator to give user "demo" the role member on project ${own}.`,
      notes: [`It takes the role member on project ${own}; user "demo" has reader on project ${own}.`],
    }),
  );
});

test("a refused action is named", () => {
  expect(() => authorize(withRole("reader"), onGroup({ act: "reboot" }))).toThrow("server-groups:reboot");
});

test("what is allowed passes", () => {
  expect(() => authorize(withRole("member"), onGroup("create"))).not.toThrow();
});

test("administration is for the administrator of the cloud", () => {
  expect(() => authorizeAdministration(administrator, "tokens:flush")).not.toThrow();
  expect(() => authorizeAdministration(withRole("admin"), "tokens:flush")).toThrow(
    expect.objectContaining({
      code: "forbidden",
      remedy: 'Ask an administrator to give user "demo" the role admin on the whole cloud.',
    }),
  );
});
