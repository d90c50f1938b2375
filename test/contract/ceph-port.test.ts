import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nameCephUser } from "../../providers/compute/marks.ts";
import type { CephCluster } from "../../providers/core/ceph.ts";
import { deriveId } from "../../providers/core/ids.ts";
import type { ComputeHost } from "../../providers/core/ports.ts";
import { mayUse, type FakePool } from "../fakes/ceph.ts";
import { meddleWithClient } from "../fakes/ceph-client.ts";
import { FakeCompute } from "../fakes/compute.ts";
import { makeCephKey, writeKeyring } from "../support/ceph-keyring.ts";
import { cloudId } from "../support/compute-specimens.ts";
import { foreignDomain } from "../support/foreign-domain.ts";
import { describeCephPort, type CephStage } from "./ceph-port.ts";

const address = "h1.test";
const fsid = deriveId<"resource">("fsid");

const host: ComputeHost = {
  id: deriveId<"host">("1"),
  cloudId,
  address: { name: "h1", transport: "ssh", address },
  name: "h1",
  datapath: "netdev",
  virtType: "qemu",
  tunnelAddress: "10.99.0.1",
  folder: "/var/lib/stackyard",
};

/** Does it, and resolves when it is done. */
function at<T>(work: () => T): Promise<T> {
  return Promise.resolve().then(work);
}

function openFake(): Promise<CephStage> {
  const folder = mkdtempSync(join(tmpdir(), "stackyard-ceph-"));
  const key = makeCephKey();
  const [keyringFile, wrongKeyringFile] = [join(folder, "keyring"), join(folder, "wrong")];
  writeKeyring(keyringFile, key);
  writeKeyring(wrongKeyringFile, makeCephKey());
  const cluster: CephCluster = {
    id: deriveId<"resource">("cluster"),
    name: "store",
    cloudId,
    fsid,
    monitors: ["mon.test"],
    user: "admin",
    keyringFile,
  };
  const compute = new FakeCompute();
  compute.addMachine(address);
  compute.addCeph({ fsid, monitors: ["mon.test"], key });
  const changePool = (name: string, change: (pool: FakePool) => void): Promise<void> =>
    at(() =>
      compute.withCeph(fsid, ({ pools }) => {
        const pool = pools[name];
        if (pool === undefined) throw new Error(`there is no pool ${name}`);
        change(pool);
      }),
    );
  return Promise.resolve({
    compute,
    host,
    cluster,
    wrongKeyringFile,
    deafMonitor: "deaf.test",
    survey: () => Promise.resolve(compute.dump()),
    makePool: (name) =>
      at(() =>
        compute.withCeph(fsid, ({ pools }) => {
          pools[name] = { size: 1, pgCount: 8, images: {}, trash: [] };
        }),
      ),
    putImage: (pool, name) =>
      changePool(pool, (found) => {
        found.images[name] = { sizeBytes: 1024 ** 2, bytes: {}, snapshots: {}, holders: [] };
      }),
    throwImageAway: (pool, name) =>
      changePool(pool, (found) => {
        if (!Reflect.has(found.images, name)) throw new Error(`there is no image ${name}`);
        Reflect.deleteProperty(found.images, name);
        found.trash = [...found.trash, name];
      }),
    emptyTrash: (pool) =>
      changePool(pool, (found) => {
        found.trash = [];
      }),
    forbidDeletion: (isForbidden) =>
      at(() =>
        compute.withCeph(fsid, (ceph) => {
          ceph.mayDelete = !isForbidden;
        }),
      ),
    tryOut: (role, action, pool) =>
      at(() =>
        compute.withCeph(fsid, (ceph) =>
          compute.withMachine(address, (machine) => mayUse(ceph, machine, cluster, { role, action, pool })),
        ),
      ),
    meddle: (how) =>
      at(() => compute.withMachine(address, (machine) => meddleWithClient(machine, cluster, how))),
    renewKey: (role) =>
      at(() =>
        compute.withCeph(fsid, ({ users }) => {
          const user = users[nameCephUser(cloudId, role)];
          if (user === undefined) throw new Error(`there is no user ${role}`);
          user.key = makeCephKey();
        }),
      ),
    useSecret: (isUsed) =>
      at(() =>
        compute.withMachine(address, (machine) => {
          if (!isUsed) Reflect.deleteProperty(machine.foreign, foreignDomain.id);
          else {
            const [disk] = foreignDomain.disks;
            if (disk === undefined) throw new Error("the specimen has no disk");
            const disks = [{ ...disk, source: `rbd:${cluster.id}/volumes/disk` }];
            machine.foreign[foreignDomain.id] = { ...foreignDomain, disks };
          }
        }),
      ),
    keys: () =>
      at(() => compute.withCeph(fsid, ({ users }) => [key, ...Object.values(users).map((user) => user.key)])),
    transcript: () => Promise.resolve(JSON.stringify(compute.calls)),
    close: () => {
      rmSync(folder, { recursive: true });
      return compute.close();
    },
  });
}

describeCephPort("fake Ceph", openFake);
