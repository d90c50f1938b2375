import { describe, expect, test } from "vitest";
import { diffInputs } from "../../../providers/core/diff.ts";
import { newId } from "../../../providers/core/ids.ts";
import { parseInputs } from "../../../providers/core/validate.ts";
import { project } from "../../../providers/identity/project.ts";
import { roleAssignment } from "../../../providers/identity/role-assignment.ts";
import { user } from "../../../providers/identity/user.ts";

const userId = "4f0c1a2e-6d5b-4c7b-9a3e-5d1f7b8c9a01";
const projectId = "4f0c1a2e-6d5b-4c7b-9a3e-5d1f7b8c9a02";

describe("project", () => {
  test("has the quota of Nova, Neutron and Cinder unless told otherwise", () => {
    expect(parseInputs(project, { name: "demo" }, []).inputs).toEqual({
      name: "demo",
      enabled: true,
      quota: {
        instances: 10,
        cores: 20,
        ramMib: 51_200,
        keyPairs: 100,
        serverGroups: 10,
        serverGroupMembers: 10,
        networks: 100,
        subnets: 100,
        ports: 500,
        volumes: 10,
        snapshots: 10,
        gigabytes: 1000,
      },
    });
  });

  test("keeps the other limits when one is set", () => {
    expect(parseInputs(project, { quota: { instances: -1 } }, []).inputs).toMatchObject({
      quota: { instances: -1, cores: 20, ramMib: 51_200 },
    });
  });

  test.each([-2, 1.5, 2 ** 31])("refuses a limit of %d and names it", (instances) => {
    expect(parseInputs(project, { quota: { instances } }, []).issues).toMatchObject([
      { code: "invalid-input", field: "quota.instances", value: instances },
    ]);
  });

  test("refuses a limit that it does not know", () => {
    expect(parseInputs(project, { quota: { floatingIps: 3 } }, []).issues).toMatchObject([
      { field: "quota.floatingIps" },
    ]);
  });

  test("changes in place, its name too", () => {
    const change = diffInputs(project, { name: "demo", enabled: true }, { name: "test", enabled: false });

    expect(change).toMatchObject({ action: "update", label: "live" });
  });
});

describe("user", () => {
  const given = { name: "demo", password: "opensesame" };

  test("is enabled unless told otherwise", () => {
    expect(parseInputs(user, given, []).inputs).toEqual({ ...given, enabled: true });
  });

  test.each(["", "x".repeat(4097)])(
    "refuses a password of no or too many characters without showing it",
    (password) => {
      const { issues } = parseInputs(user, { ...given, password }, []);

      expect(issues).toMatchObject([{ field: "password" }]);
      expect(issues[0]).not.toHaveProperty("value");
    },
  );

  test("refuses an address that is none", () => {
    expect(parseInputs(user, { ...given, email: "demo at example" }, []).issues).toMatchObject([
      { field: "email" },
    ]);
  });

  test("changes its password in place", () => {
    expect(diffInputs(user, given, { ...given, password: "changed" })).toMatchObject({ label: "live" });
  });
});

describe("role assignment", () => {
  const given = { user: userId, project: projectId, role: "member" } as const;

  test.each([
    { changed: { user: projectId } },
    { changed: { project: undefined } },
    { changed: { role: "admin" } },
  ])("is replaced when $changed differs", ({ changed }) => {
    expect(diffInputs(roleAssignment, given, { ...given, ...changed })).toMatchObject({ action: "replace" });
  });

  test("exists once for a user, project and role", () => {
    expect(roleAssignment.reservations?.(given, newId())).toEqual([
      { kind: "role-assignment", scope: userId, value: `${projectId}/member`, field: "role" },
    ]);
  });

  test("on the whole cloud exists once too, apart from those on projects", () => {
    expect(roleAssignment.reservations?.({ user: userId, role: "member" }, newId())).toMatchObject([
      { value: "cloud/member" },
    ]);
  });

  test("refuses an unknown role and names the known ones", () => {
    expect(parseInputs(roleAssignment, { ...given, role: "owner" }, []).issues).toMatchObject([
      {
        field: "role",
        value: "owner",
        message: expect.stringContaining('"reader"|"member"|"admin"') as unknown,
      },
    ]);
  });
});
