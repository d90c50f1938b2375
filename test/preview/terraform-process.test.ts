import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installMirror, installOverride } from "../../providers/engines/terraform/install.ts";
import { listChildren } from "../support/child-processes.ts";
import { makeQcow2 } from "../support/qcow2.ts";
import { findTerraformCommands, TerraformProject } from "../support/terraform.ts";

const commands = await findTerraformCommands();

/** Sockets of providers whose temporary files lie in a folder. */
function listSockets(temporary: string): readonly string[] {
  return readdirSync(temporary).filter((name) => name.startsWith("stackyard-terraform-"));
}

const flavor = `
resource "stackyard_flavor" "tiny" {
  name    = "tiny"
  vcpus   = 1
  ram_mib = 64
}
`;

/** Each command starts several processes that load the sources anew: minutes on a busy machine. */
const timeout = 180_000;

describe.each(commands)("the installed provider, with $name", { timeout }, (command) => {
  let folder: string;
  let temporary: string;
  let project: TerraformProject;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "stackyard-home-"));
    temporary = join(folder, "tmp");
    mkdirSync(temporary);
    project = new TerraformProject(command, {
      STACKYARD_HOME: folder,
      TMPDIR: temporary,
      TF_CLI_CONFIG_FILE: join(folder, "cli.tfrc"),
      // Of whoever runs Terraform; the provider must not take it over.
      NODE_OPTIONS: "--require=/nowhere.cjs",
    });
  });

  afterEach(async () => {
    await project[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  describe("by a mirror", () => {
    beforeEach(async () => {
      const { cliConfig } = await installMirror(join(folder, "mirror"), "1.2.3");
      writeFileSync(join(folder, "cli.tfrc"), cliConfig);
    });

    it("is initialised, plans, applies, finds nothing to do and destroys, and leaves no socket behind", async () => {
      project.write(flavor);
      await project.must("init");
      await project.must("validate");
      await project.must("plan", "-out=plan.bin");
      await project.must("apply", "plan.bin");
      expect(await project.attributes("stackyard_flavor.tiny")).toMatchObject({ name: "tiny", ram_mib: 64 });
      expect((await project.run("plan", "-detailed-exitcode")).exitCode).toBe(0);
      await project.must("destroy", "-auto-approve");
      expect(await project.must("state", "list")).toBe("");
      expect(listSockets(temporary)).toEqual([]);
    });

    describe("killed in the middle of an apply", () => {
      const bytes = makeQcow2();
      let server: Server;
      let waiting: ServerResponse[];
      let isSlow: boolean;

      beforeEach(async () => {
        waiting = [];
        isSlow = true;
        server = createServer((_request, response) => {
          if (isSlow) waiting.push(response);
          else response.end(bytes);
        }).listen(0, "127.0.0.1");
        await once(server, "listening");
      });

      afterEach(() => {
        server.closeAllConnections();
        server.close();
      });

      it("has forgotten nothing: the next apply takes up what was begun", async () => {
        const { port } = server.address() as AddressInfo;
        project.write(`
resource "stackyard_image" "guest" {
  name = "guest"
  disk = {
    location = "http://127.0.0.1:${String(port)}/guest.qcow2"
    checksum = "sha256:${createHash("sha256").update(bytes).digest("hex")}"
  }
}
`);
        await project.must("init");
        const plan = await project.plan();
        const running = project.start("apply", "-auto-approve");
        await expect.poll(() => waiting, { timeout: 60_000 }).toHaveLength(1);
        const ended = once(running, "exit");
        for (const pid of listChildren(running.pid ?? -1)) process.kill(pid, "SIGKILL");
        expect(await ended).toEqual([1, null]);

        isSlow = false;
        expect(await project.apply()).not.toContain("Warning");

        expect((await project.attributes("stackyard_image.guest"))["id"]).toBe(
          plan.get("stackyard_image.guest")?.after?.["id"],
        );
        expect((await project.run("plan", "-detailed-exitcode")).exitCode).toBe(0);
      });

      it("whose Terraform is killed ends by itself", async () => {
        const { port } = server.address() as AddressInfo;
        project.write(`
resource "stackyard_image" "guest" {
  name = "guest"
  disk = {
    location = "http://127.0.0.1:${String(port)}/guest.qcow2"
    checksum = "sha256:${"0".repeat(64)}"
  }
}
`);
        await project.must("init");
        const running = project.start("apply", "-auto-approve");
        await expect.poll(() => waiting, { timeout: 60_000 }).toHaveLength(1);
        const providers = listChildren(running.pid ?? -1);
        expect(providers).not.toEqual([]);
        running.kill("SIGKILL");
        await expect
          .poll(() => providers.filter((pid) => readdirSync("/proc").includes(String(pid))), {
            timeout: 60_000,
          })
          .toEqual([]);
      });
    });
  });

  it("by dev_overrides needs no init", async () => {
    const { cliConfig } = await installOverride(join(folder, "override"), "1.2.3");
    writeFileSync(join(folder, "cli.tfrc"), cliConfig);
    project.write(flavor);
    await project.apply();
    expect(await project.attributes("stackyard_flavor.tiny")).toMatchObject({ name: "tiny" });
  });
});
