import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { connectLocal } from "../../providers/hosts/local.ts";
import { connectSsh } from "../../providers/hosts/ssh.ts";
import { startSshd } from "../support/sshd.ts";
import { describeHostConnection, describeLostLink } from "./host-connection.ts";
import type { ContractHost, FragileHost } from "./host-connection.ts";

async function startLocal(): Promise<ContractHost> {
  const folder = await mkdtemp(join(tmpdir(), "stackyard-local-"));
  return {
    folder,
    connect: () => Promise.resolve(connectLocal({ name: "here", transport: "local", address: "here" })),
    stop: () => rm(folder, { recursive: true }),
  };
}

async function startReal(): Promise<FragileHost> {
  const sshd = await startSshd();
  return {
    folder: sshd.folder,
    connect: () => connectSsh(sshd.address, { environment: sshd.environment }),
    stop: () => sshd.stop(),
    async cutDuring(command, marker) {
      const running = command();
      running.catch(() => undefined);
      await expect.poll(() => existsSync(marker)).toBe(true);
      await sshd.dropConnections();
      return running;
    },
  };
}

describeHostConnection("local", startLocal);
describeHostConnection("sshd", startReal);
describeLostLink("sshd", startReal);
