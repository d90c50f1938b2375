import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nameLostKey } from "../../../providers/compute/ceph-fence.ts";
import { planBoot } from "../../../providers/compute/host-boot.ts";
import { deriveId } from "../../../providers/core/ids.ts";

const cloudId = deriveId<"cloud">("cloud");
const id = deriveId<"host">("host");
const secret = deriveId("secret");

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "stackyard-boot-"));
  for (const folder of ["autostart", "bin", "ceph/c1", "host/networks/n1", "host/networks/n2", "host/boot"])
    mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, "ceph/c1/client.json"), JSON.stringify({ secretId: secret }));
  writeFileSync(join(root, "host/boot/wire"), `echo wire >> ${root}/log`);
  writeFileSync(join(root, "host/networks/n1/boot"), `echo n1 >> ${root}/log; exit 1`);
  writeFileSync(join(root, "host/networks/n2/boot"), `echo n2 >> ${root}/log`);
  // Knows one image, which the host has lost, and one that it has.
  writeFileSync(
    join(root, "bin/rbd"),
    `#!/bin/sh
case "$*" in
  "--conf ${root}/ceph/c1/ceph.conf --id guests image-meta list vms/lost") echo '${nameLostKey(id)} yes' ;;
  "--conf ${root}/ceph/c1/ceph.conf --id guests image-meta list vms/own") echo 'stackyard-owner x' ;;
  *) echo "rbd $*" >> ${root}/log; exit 2 ;;
esac
`,
    { mode: 0o755 },
  );
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

/** Puts a domain there that libvirt would start. */
function autostart(name: string, images: readonly string[], cloud: string = cloudId): void {
  const disks = images.map(
    (image) => `<disk type='network' device='disk'>
      <auth username='guests'>
        <secret type='ceph' uuid='${secret}'/>
      </auth>
      <source protocol='rbd' name='${image}'>
      </source></disk>`,
  );
  const mark = `<stackyard:server xmlns:stackyard="https://stackyard.dev/xmlns/domain/1" cloud="${cloud}" id="x"/>`;
  writeFileSync(
    join(root, `${name}.xml`),
    `<domain>\n<metadata>${mark}</metadata>\n${disks.join("\n")}\n</domain>`,
  );
  symlinkSync(join(root, `${name}.xml`), join(root, `autostart/${name}.xml`));
}

/** Boots, with the folders of a host below `root`. Returns the exit code. */
function boot(): number {
  const address = { name: "h1", transport: "local", address: "h1" } as const;
  const request = {
    ...{ id, cloudId, address, datapath: undefined, virtType: undefined },
    ...{ tunnelAddress: "10.0.0.1/24", tunnelInterface: undefined, folder: join(root, "host") },
  };
  const record = { cloudId, hostId: id, madeFolder: true, tunnel: null };
  const plan = {
    ...({ datapath: "system", virtType: "kvm" } as const),
    ...{ record, endpoint: "eth0", underlay: undefined },
  };
  const { run } = planBoot(request, plan, false);
  const script = run
    .replaceAll("/etc/libvirt/qemu/autostart", join(root, "autostart"))
    .replaceAll("/etc/stackyard/ceph", join(root, "ceph"))
    .replace("limit='60'", "limit=0");
  const env = { PATH: `${join(root, "bin")}:/usr/bin:/bin` };
  try {
    execFileSync("/bin/sh", ["-c", script], { env, stdio: "pipe" });
    return 0;
  } catch (error) {
    return error instanceof Error && "status" in error ? Number(error.status) : -1;
  }
}

const isKept = (name: string): boolean => existsSync(join(root, `autostart/${name}.xml`));

test("everything is brought back, whatever fails, and the failure is told", () => {
  expect(boot()).toBe(1);
  expect(execFileSync("cat", [join(root, "log")], { encoding: "utf8" })).toBe("wire\nn1\nn2\n");
});

test("a server whose disk another host got is not started, and others are", () => {
  autostart("files", []);
  autostart("own", ["vms/own"]);
  autostart("lost", ["vms/own", "vms/lost"]);
  autostart("unanswered", ["vms/elsewhere"]);
  autostart("foreign", ["vms/lost"], deriveId("another cloud"));
  boot();
  expect(["files", "own", "lost", "unanswered", "foreign"].map(isKept)).toEqual([
    true,
    true,
    false,
    false,
    true,
  ]);
});
