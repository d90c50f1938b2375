import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sh } from "../../providers/hosts/command.ts";
import type { Shell } from "../../providers/hosts/command.ts";
import type { CommandResult, HostConnection } from "../../providers/hosts/connection.ts";
import { addFlows, listBridges, parseBridges, replaceFlows, transact } from "../../providers/hosts/ovs.ts";
import type { OvsBridge } from "../../providers/hosts/ovs.ts";
import { probeHost, requireSuitable } from "../../providers/hosts/probe.ts";
import {
  convertImage,
  createBlank,
  createOverlay,
  parseImageInfo,
  showImage,
} from "../../providers/hosts/qemu-img.ts";
import type { ImageInfo } from "../../providers/hosts/qemu-img.ts";
import {
  defineDomain,
  destroyDomain,
  isDomainNotFound,
  listDomains,
  parseDomainList,
  parseListedDomain,
  rebootDomain,
  removeDomain,
  showDomain,
  shutdownDomain,
  startDomain,
  tailConsole,
} from "../../providers/hosts/virsh.ts";
import type { ListedDomain } from "../../providers/hosts/virsh.ts";

/** A host with libvirt, Open vSwitch and QEMU, real or not. */
export interface HypervisorHost {
  readonly connection: HostConnection;
  /** Folder on the host that is there and empty. */
  readonly folder: string;
  stop(): Promise<void>;
}

const uuid = "5a11f00d-0000-4000-8000-000000000001";
const name = "stackyard-contract";
const namespace = "https://example.org/contract";

function renderDomain(diskPath: string, bridge: string): string {
  return `<domain type='qemu'><name>${name}</name><uuid>${uuid}</uuid><title>&lt;>&amp;"</title>
<metadata><sy:server xmlns:sy="${namespace}" cloud="c1" id="i1"/></metadata>
<memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${diskPath}'/><target dev='vda' bus='virtio'/></disk>
<interface type='bridge'><mac address='52:54:00:5a:11:01'/><source bridge='${bridge}'/><vlan><tag id='77'/></vlan>
<virtualport type='openvswitch'><parameters interfaceid='5a11f00d-0000-4000-8000-000000000002'/></virtualport><target dev='tapcontract'/><model type='virtio'/></interface>
</devices></domain>`;
}

/** What the commands and parsers of `hosts/` must find on a host, and a fake of one too. */
export function describeHypervisor(kind: string, start: () => Promise<HypervisorHost>): void {
  describe(`hypervisor: ${kind}`, () => {
    const bridge = "br-contract";
    let host: HypervisorHost;
    const at = (file: string): string => `${host.folder}/${file}`;
    const run = (command: Shell, stdin = ""): Promise<CommandResult> =>
      host.connection.run(command, { stdin });
    const attempt = (command: Shell, stdin = ""): Promise<CommandResult> =>
      host.connection.run(command, { stdin, allowFailure: true });
    const show = async (): Promise<ListedDomain> => parseListedDomain((await run(showDomain(uuid))).stdout);
    const inspect = async (file: string): Promise<ImageInfo> =>
      parseImageInfo((await run(showImage(at(file)))).stdout);
    const findBridge = async (): Promise<OvsBridge | undefined> =>
      parseBridges((await run(listBridges())).stdout).find((candidate) => candidate.name === bridge);
    const makeBridge = (): Promise<CommandResult> =>
      run(
        transact([
          { op: "add-bridge", bridge },
          {
            op: "set",
            table: "bridge",
            record: bridge,
            columns: { datapath_type: "netdev", fail_mode: "secure" },
          },
        ]),
      );
    beforeAll(async () => {
      host = await start();
    });
    afterAll(async () => {
      await host.stop();
    });

    it("is fit to run servers", async () => {
      const facts = await probeHost(host.connection, at("not/yet/there"));
      expect(() => {
        requireSuitable("it", facts);
      }).not.toThrow();
      expect(facts).toMatchObject({
        arch: "x86_64",
        libvirtVersion: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
      });
    });

    describe("images", () => {
      it("makes a blank qcow2", async () => {
        await run(createBlank(at("blank"), "qcow2", 1));
        expect(await inspect("blank")).toMatchObject({
          format: "qcow2",
          virtualBytes: 2 ** 30,
          backingFile: undefined,
        });
      });

      it("makes an overlay that is larger than its base", async () => {
        await run(createBlank(at("base"), "raw", 1));
        await run(createOverlay(at("overlay"), at("base"), "raw", 2));
        expect(await inspect("overlay")).toMatchObject({
          virtualBytes: 2 * 2 ** 30,
          backingFile: at("base"),
        });
      });

      it("copies into another format", async () => {
        await run(createBlank(at("source"), "qcow2", 1));
        await run(convertImage(at("source"), "qcow2", at("copy"), "raw"));
        expect(await inspect("copy")).toMatchObject({ format: "raw", virtualBytes: 2 ** 30 });
      });

      it("writes a true header", async () => {
        await run(createBlank(at("header"), "qcow2", 3));
        const size = await run(sh`od -A n -t u8 -j 24 -N 8 --endian=big -- ${at("header")}`);
        expect(Number(size.stdout)).toBe(3 * 2 ** 30);
      });
    });

    describe("Open vSwitch", () => {
      it("makes a bridge, again and again", async () => {
        await makeBridge();
        await makeBridge();
        expect(await findBridge()).toMatchObject({ datapathType: "netdev", failMode: "secure" });
      });

      it("sets and clears columns of a port", async () => {
        await makeBridge();
        await run(
          transact([
            { op: "add-port", bridge, port: "vxcontract" },
            { op: "set", table: "port", record: "vxcontract", columns: { tag: 7, protected: true } },
            {
              op: "set",
              table: "interface",
              record: "vxcontract",
              columns: {
                type: "vxlan",
                options: { remote_ip: "192.0.2.9", key: "9" },
                external_ids: { note: 'a "b", $(c)' },
              },
            },
          ]),
        );
        const ports = (await findBridge())?.ports;
        expect(ports?.find((port) => port.name === "vxcontract")).toMatchObject({
          tag: 7,
          protected: true,
          interfaces: [{ type: "vxlan", options: { key: "9" }, externalIds: { note: 'a "b", $(c)' } }],
        });
        await run(transact([{ op: "clear", table: "port", record: "vxcontract", columns: ["tag"] }]));
        const cleared = (await findBridge())?.ports.find((port) => port.name === "vxcontract");
        expect(cleared?.tag).toBeUndefined();
      });

      it("removes a port, again and again", async () => {
        await makeBridge();
        const remove = transact([{ op: "remove-port", bridge, port: "vxcontract" }]);
        await run(remove);
        await run(remove);
        expect((await findBridge())?.ports.map((port) => port.name)).not.toContain("vxcontract");
      });

      it("refuses a port on a bridge that is not there", async () => {
        const result = await attempt(transact([{ op: "add-port", bridge: "br-missing", port: "p" }]));
        expect(result).toMatchObject({ exitCode: 1, stderr: "ovs-vsctl: no bridge named br-missing\n" });
      });

      it("takes flows, and refuses a bridge that is not there", async () => {
        await makeBridge();
        await run(replaceFlows(bridge), "priority=0,actions=NORMAL\n");
        await run(addFlows(bridge), "priority=5,arp,actions=NORMAL\n");
        expect((await attempt(replaceFlows("br-missing"), "priority=0,actions=NORMAL\n")).exitCode).toBe(1);
      });

      it("removes a bridge", async () => {
        await run(transact([{ op: "remove-bridge", bridge }]));
        expect(await findBridge()).toBeUndefined();
      });
    });

    describe("console", () => {
      it("is empty before there is one", async () => {
        expect((await run(tailConsole(at("no-console"), 5))).stdout).toBe("");
      });

      it("shows its last lines", async () => {
        await host.connection.upload(Buffer.from("one\ntwo\nthree\n"), at("console"));
        expect((await run(tailConsole(at("console"), 2))).stdout).toBe("two\nthree\n");
      });
    });

    describe("domains", () => {
      beforeAll(async () => {
        await makeBridge();
        await run(createBlank(at("disk"), "qcow2", 1));
      });

      it("defines a domain, and shows it as defined", async () => {
        await run(defineDomain(), renderDomain(at("disk"), bridge));
        expect(await show()).toMatchObject({
          state: "shut off",
          domain: {
            uuid,
            name,
            title: '<>&"',
            ramMib: 64,
            vcpus: 1,
            disks: [{ source: at("disk"), target: "vda" }],
            interfaces: [{ mac: "52:54:00:5a:11:01", bridge, vlan: 77 }],
            metadata: [{ namespace, name: "server", attributes: { cloud: "c1", id: "i1" } }],
          },
        });
      });

      it("refuses another domain of the same name", async () => {
        const other = renderDomain(at("disk"), bridge).replace(uuid, "5a11f00d-0000-4000-8000-000000000009");
        const result = await attempt(defineDomain(), other);
        expect(result.exitCode).toBe(1);
        expect(result.stderr).toContain(`domain '${name}' already exists with uuid ${uuid}`);
      });

      it("starts it once, however often it is asked, and puts its port on the bridge", async () => {
        await run(startDomain(uuid));
        await run(startDomain(uuid));
        expect(await show()).toMatchObject({ state: "running", reason: "booted" });
        const port = (await findBridge())?.ports.find((candidate) => candidate.name === "tapcontract");
        expect(port).toMatchObject({
          tag: 77,
          interfaces: [{ externalIds: { "attached-mac": "52:54:00:5a:11:01" } }],
        });
      });

      it("leaves the process's id where QEMU's is", async () => {
        const alive = await attempt(sh`kill -0 "$(cat ${`/run/libvirt/qemu/${name}.pid`})"`);
        expect(alive.exitCode).toBe(0);
      });

      it("lists it among all domains", async () => {
        const listed = parseDomainList((await run(listDomains())).stdout);
        expect(listed.find(({ domain }) => domain.uuid === uuid)).toMatchObject({ state: "running" });
      });

      it("gives its mark to who names the namespace", async () => {
        const mark = await run(sh`virsh -q -c qemu:///system metadata ${uuid} ${namespace}`);
        expect(mark.stdout.trim()).toBe('<server cloud="c1" id="i1"/>');
      });

      it("is asked to power off, without a wait", async () => {
        expect((await attempt(shutdownDomain(uuid))).exitCode).toBe(0);
      });

      it("cuts its power once, however often it is asked, and takes its port off the bridge", async () => {
        await run(destroyDomain(uuid));
        await run(destroyDomain(uuid));
        expect((await show()).state).toBe("shut off");
        expect((await findBridge())?.ports.map((port) => port.name)).not.toContain("tapcontract");
      });

      it("does not reboot what is off", async () => {
        const result = await attempt(rebootDomain(uuid));
        expect(result.exitCode).toBe(1);
        expect(result.stderr).toContain("Requested operation is not valid: domain is not running");
        expect(isDomainNotFound(result)).toBe(false);
      });

      it("does not start on a bridge that is not there", async () => {
        await run(defineDomain(), renderDomain(at("disk"), "br-missing"));
        const result = await attempt(startDomain(uuid));
        expect(result.exitCode).toBe(1);
        expect(result.stderr).toContain(`Failed to start domain '`);
      });

      it("removes it, and then says that it is not there", async () => {
        await run(removeDomain(uuid));
        expect(isDomainNotFound(await attempt(showDomain(uuid)))).toBe(true);
        expect(isDomainNotFound(await attempt(removeDomain(uuid)))).toBe(true);
        const listed = parseDomainList((await run(listDomains())).stdout);
        expect(listed.map(({ domain }) => domain.uuid)).not.toContain(uuid);
      });
    });
  });
}
