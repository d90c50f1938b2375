import { readdirSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { listLinks } from "../../lab/namespace/links.ts";

/** Links of labs; those of other labs come and go while a test runs. */
const labLink = /^sy[0-9a-f]{7}[md]\d*$/;

/** Groups that libvirt makes for guests. */
const hypervisorGroup = /machine|qemu|libvirt/;

function readLines(path: string): string[] {
  return readFileSync(path, "utf8").split("\n");
}

/** What a lab could leave behind on the machine, less what belongs to labs elsewhere than in `stateHome`. */
export async function surveyMachine(stateHome: string, folders: readonly string[]) {
  const links = [...(await listLinks()).keys()].filter((name) => !labLink.test(name));
  const isForeign = (line: string): boolean => line.includes("/stackyard/labs/") && !line.includes(stateHome);
  const mounts = readLines("/proc/self/mounts").filter((line) => !isForeign(line));
  const cgroups = readdirSync("/sys/fs/cgroup", { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory() && hypervisorGroup.test(entry.name))
    .map((entry) => `${entry.parentPath}/${entry.name}`);
  const files = await Promise.all(folders.map((folder) => readdir(folder, { recursive: true })));
  return { links, mounts, cgroups, files, processes: listProcesses(stateHome) };
}

/** Pids of live processes whose root, command line or environment names `stateHome`. */
export function listProcesses(stateHome: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return false;
    try {
      const isHostProcess = readLines(`/proc/${pid}/mountinfo`).some((line) =>
        line.includes(`upperdir=${stateHome}`),
      );
      return (
        isHostProcess ||
        readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(stateHome) ||
        readFileSync(`/proc/${pid}/environ`, "utf8").includes(`lab=${stateHome}`)
      );
    } catch {
      return false; // It has ended meanwhile.
    }
  });
}
