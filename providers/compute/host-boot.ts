import { createHash } from "node:crypto";
import type { EnrolRequest } from "../core/ports.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import { nameLostKey } from "./ceph-fence.ts";
import { clientMark } from "./ceph-client.ts";
import { bootFolder, cephFolder, networksFolder } from "./layout.ts";
import { integrationBridge, underlayBridge } from "./marks.ts";
import { renderText, renderTransaction } from "./render.ts";
import type { WiringPlan } from "./wiring.ts";

/** What brings a host back after a boot, as it is kept there. */
export interface HostBoot {
  /** Wires the host; enrolment runs it too. */
  readonly wire: string;
  /** Runs that, and what each network keeps in its folder. */
  readonly run: string;
  /** Has systemd run that; absent on a host without it. */
  readonly unit: string | undefined;
}

const unitName = "stackyard.service";
const unitFile = `/etc/systemd/system/${unitName}`;
/** What systemd makes of an enabled unit. */
const enabledFile = `/etc/systemd/system/multi-user.target.wants/${unitName}`;

/** How long clusters are asked, all together: after a loss of power hosts are up before they are. */
const askSeconds = 60;
/** The same for one question. */
const commandSeconds = 30;

/** What is kept on a host for its boots. */
export function planBoot(
  request: EnrolRequest,
  plan: Omit<WiringPlan, "boot">,
  hasSystemd: boolean,
): HostBoot {
  const { folder, cloudId } = request;
  return {
    wire: wireHost(request, plan).text,
    run: runAtBoot(request).text,
    unit: hasSystemd
      ? renderText("systemd/stackyard.service", { cloudId, script: `${bootFolder(folder)}/run` })
      : undefined,
  };
}

/** Bridges, flows and addresses. Leaves what is right as it is. */
function wireHost(request: EnrolRequest, plan: Omit<WiringPlan, "boot">): Shell {
  const { underlay } = plan;
  const bridges = [
    ...renderTransaction("ovs/integration-bridge", {
      bridge: integrationBridge,
      datapath: plan.datapath,
      cloudId: request.cloudId,
      hostId: request.id,
    }),
    ...(underlay === undefined
      ? []
      : renderTransaction("ovs/underlay-bridge", {
          bridge: underlayBridge,
          cloudId: request.cloudId,
          interface: underlay.interface,
          mac: underlay.mac,
        })),
  ];
  const moved = plan.record.tunnel?.addresses ?? [];
  return script(
    sh`ovs-vsctl --timeout=30 ${bridges}
printf '%s' ${renderText("ovs/integration-flows", {})} | ovs-ofctl add-flows ${integrationBridge} -`,
    ...(underlay === undefined
      ? [
          // One that the host's own settings gave it keeps its lifetime.
          sh`ip -o address show dev ${plan.endpoint} | grep -qF ${` ${request.tunnelAddress} `} || ip address replace ${request.tunnelAddress} dev ${plan.endpoint}`,
        ]
      : [
          ...moved.map(
            (address) => sh`ip address delete ${address} dev ${underlay.interface} 2> /dev/null || true`,
          ),
          sh`ip link set ${underlay.interface} up
ip link set ${underlayBridge} mtu ${underlay.mtuBytes} up`,
          ...[...new Set([...moved, request.tunnelAddress])].map(
            (address) => sh`ip address replace ${address} dev ${underlayBridge}`,
          ),
          ...(plan.record.tunnel?.routes ?? []).map(
            ({ to, via }) => sh`ip route replace ${to} via ${via} dev ${underlayBridge}`,
          ),
        ]),
  );
}

/**
 * One network that fails keeps no other from coming back. Runs before libvirt, which starts servers by itself: those whose disks another host got meanwhile
 * lose their autostart first, and so do those whose clusters cannot be asked in time.
 */
function runAtBoot({ folder, cloudId, id }: EnrolRequest): Shell {
  return sh`set -u
code=0
sh ${`${bootFolder(folder)}/wire`} || code=1
for boot in ${networksFolder(folder)}/*/boot; do
  [ ! -e "$boot" ] || sh "$boot" || code=1
done
limit=${askSeconds}
end=$(($(date +%s) + limit))
# image USER SECRET POOL/IMAGE: whether its cluster says that it is still this host's
is_ours() {
  mark=$(grep -lsF "$2" ${cephFolder}/*/${clientMark} | head -n 1)
  [ -n "$mark" ] || return 1
  until known=$(timeout ${commandSeconds} rbd --conf "$(dirname "$mark")/ceph.conf" --id "$1" image-meta list "$3" < /dev/null 2> /dev/null); do
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 1
  done
  case $known in (*${nameLostKey(id)}*) return 1 ;; esac
}
for link in /etc/libvirt/qemu/autostart/*.xml; do
  grep -qsF ${`cloud="${cloudId}"`} "$link" || continue
  user= secret=
  sed -n -e "s/.*<auth username='\([^']*\)'.*/user \1/p" -e "s/.*<secret type='ceph' uuid='\([^']*\)'.*/secret \1/p" -e "s/.*<source protocol='rbd' name='\([^']*\)'.*/image \1/p" "$link" | {
    while read -r kind value; do
      case $kind in
        user) user=$value ;;
        secret) secret=$value ;;
        image) is_ours "$user" "$secret" "$value" || exit 1 ;;
      esac
    done
  } || {
    echo "not started: $link" >&2
    rm -f -- "$link"
  }
done
exit "$code"
`;
}

/** Puts it there and wires the host by it. */
export function installBoot(folder: string, { wire, run, unit }: HostBoot): Shell {
  const boot = bootFolder(folder);
  return script(
    sh`umask 022
mkdir -p -- ${boot}
printf '%s' ${wire} > ${`${boot}/wire`}
printf '%s' ${run} > ${`${boot}/run`}
sh ${`${boot}/wire`}`,
    unit === undefined
      ? sh`:`
      : sh`printf '%s' ${unit} > ${unitFile}
systemctl daemon-reload
systemctl --quiet enable ${unitName}`,
  );
}

/** Takes the unit away; the rest goes with the folder. */
export function removeBoot(): Shell {
  return sh`if [ -e ${unitFile} ]; then
  systemctl --quiet disable ${unitName}
  rm -f -- ${unitFile}
  systemctl daemon-reload
fi`;
}

/** Prints the digest of what is there, where something is. */
export function lookAtBoot(folder: string): Shell {
  const files = ["wire", "run"].map((name) => `${bootFolder(folder)}/${name}`);
  return sh`if [ -d ${bootFolder(folder)} ]; then
  unit=
  if [ -d /run/systemd/system ] && [ -L ${enabledFile} ]; then unit=${unitFile}; fi
  echo "boot-digest $(cat -- ${files} $unit 2> /dev/null | sha256sum | cut -d ' ' -f 1)"
fi`;
}

/** The digest of what is to be there. */
export function digestBoot({ wire, run, unit }: HostBoot): string {
  return createHash("sha256")
    .update(`${wire}${run}${unit ?? ""}`)
    .digest("hex");
}
