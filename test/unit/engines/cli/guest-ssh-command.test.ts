import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { GuestAccess, ResourceView } from "../../../../providers/core/cloud.ts";
import { planSshCall } from "../../../../providers/engines/cli/guest-ssh-command.ts";
import { definitions } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";

const hostile = "$(reboot); 'a' \"b\" `c` %h * \\";
const overSsh: GuestAccess = {
  host: {
    name: "h1",
    transport: "ssh",
    address: "10.77.0.11",
    port: 2222,
    user: "root",
    identityFile: `/keys/${hostile}`,
    knownHostsFile: "/keys/known hosts",
    proxyJump: "jump@bastion",
  },
  address: "10.5.0.3",
  relayCommand: `relay ${hostile}`,
};

let folder: string;
let view: ResourceView;

/** A stand-in for ssh that prints its arguments, one in a pair of brackets. */
const printArguments = '#!/bin/sh\nfor argument in "$@"; do printf "[%s]" "$argument"; done\n';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stackyard-ssh-"));
  await writeFile(join(folder, "ssh"), printArguments);
  await chmod(join(folder, "ssh"), 0o755);
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

beforeEach(async () => {
  const cloud = new FakeCloud({ definitions });
  const request = { type: "flavor", maker: "test", defaultName: "f" };
  const planned = await cloud.plan({ ...request, inputs: { vcpus: 1, ramMib: 1 } });
  view = await cloud.apply({ ...request, inputs: planned.inputs });
});

/** Runs the relay as OpenSSH does: `exec` before it, by a shell. */
function runRelay(access: GuestAccess): string {
  const call = planSshCall(view, access, { user: "root" }, []);
  const relay = call.arguments[1]?.replace(/^ProxyCommand=/, "");
  return execFileSync("/bin/sh", ["-c", `exec ${relay ?? ""}`], {
    encoding: "utf8",
    env: { ...call.environment, PATH: `${folder}:/usr/bin:/bin` },
  });
}

describe("planSshCall", () => {
  it("logs in to the guest's address as the user, with the words of the command", () => {
    const call = planSshCall(view, overSsh, { user: "debian", identity: "/id" }, ["uname", "-a"]);
    expect(call.arguments.slice(-10)).toEqual([
      ...["-i", "/id", "-o", "IdentitiesOnly=yes"],
      ...["-l", "debian", "--", "10.5.0.3", "uname", "-a"],
    ]);
  });

  it("keeps values out of the text of the relay, which is the same for every server", () => {
    const elsewhere = { ...overSsh, address: "10.5.0.4", relayCommand: "other" };
    expect(planSshCall(view, overSsh, { user: "root" }, []).arguments[1]).toBe(
      planSshCall(view, elsewhere, { user: "root" }, []).arguments[1],
    );
  });

  it("gives a server that was made anew another host key alias", () => {
    const anew = { ...view, record: { ...view.record, createdAt: "2026-05-05T05:05:05Z" } };
    expect(planSshCall(view, overSsh, { user: "root" }, []).arguments).not.toEqual(
      planSshCall(anew, overSsh, { user: "root" }, []).arguments,
    );
  });
});

describe("the relay", () => {
  it("goes through ssh to the host with every value whole", () => {
    expect(runRelay(overSsh)).toBe(
      [
        "[-T][-o][StrictHostKeyChecking=yes][-o][BatchMode=yes][-o][ConnectTimeout=15]",
        `[-p][2222][-l][root][-i][/keys/${hostile}]`,
        '[-o][UserKnownHostsFile="/keys/known hosts"][-J][jump@bastion]',
        `[--][10.77.0.11][relay ${hostile}]`,
      ].join(""),
    );
  });

  it("leaves out what the host does not set", () => {
    const host = { name: "h1", transport: "ssh", address: "h1.example" } as const;
    expect(runRelay({ ...overSsh, host, relayCommand: "relay" })).toBe(
      "[-T][-o][StrictHostKeyChecking=yes][-o][BatchMode=yes][-o][ConnectTimeout=15][--][h1.example][relay]",
    );
  });

  it("runs on this machine when the host is this machine", () => {
    const host = { name: "here", transport: "local", address: "localhost" } as const;
    expect(runRelay({ ...overSsh, host, relayCommand: "echo relayed" })).toBe("relayed\n");
  });
});
