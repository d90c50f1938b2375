import { hasCode, StackyardError } from "../core/errors.ts";
import type { PackageSource } from "../core/ports.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { HostConnection } from "../hosts/connection.ts";
import { cleanJob, startJob, waitForJob } from "../hosts/job.ts";
import { describeInstallation, serviceUnits } from "../hosts/probe.ts";
import type { HostLacks } from "../hosts/probe.ts";
import { packagesFile } from "./layout.ts";

/** Longest that packages may take: a slow mirror, and all of QEMU. */
const installTimeoutMs = 1_800_000;
/** How long another apt on the host is waited for: a host that has just booted updates itself. */
const lockSeconds = 300;
const lockRetrySeconds = 5;
/** Last word of an installation; a dry run has none. */
const done = "stackyard: installed";
const maxProgressChars = 120;

/**
 * Installs Debian packages on a host by its own apt, as a job that goes on when the connection is lost, and starts services for now and for each boot. What
 * it installed is noted in a file of the host's folder, which must be there. Repeatable, also after an installation that was broken off: a run of it that is
 * still at work is joined.
 *
 * Raises `host-unsuitable` with apt's own words, `host-disk-full`, `command-timeout`, `wrong-state` in a dry run, which cannot know what comes after.
 */
export async function installPackages(
  connection: HostConnection,
  folder: string,
  { packages, services }: Pick<HostLacks, "packages" | "services">,
  { mirror }: PackageSource,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { name } = connection.host;
  const what = packages.length === 0 ? "starts services" : `installs ${packages.join(" ")}`;
  progress(`host ${name} ${what}`);
  const job = { name: "packages", folder: `${folder}/jobs` };
  const command = script(
    ...(packages.length === 0 ? [] : [installScript(packages, mirror, packagesFile(folder))]),
    ...services.map((service) => startService(serviceUnits[service])),
    sh`echo ${done}`,
  );
  await startJob(connection, { ...job, command });
  try {
    const log = await waitForJob(connection, job, {
      timeoutMs: installTimeoutMs,
      signal,
      onProgress: (tail) => {
        const line = tail.trim().split("\n").at(-1) ?? "";
        if (line !== "")
          progress(
            `host ${name} ${packages.length === 0 ? "starts services" : "installs"}: ${line.slice(0, maxProgressChars)}`,
          );
      },
    });
    if (!log.trim().endsWith(done))
      throw new StackyardError("wrong-state", {
        message: `host ${name} ${what} first, when it is applied; what comes after is known then`,
      });
  } catch (error) {
    if (!hasCode(error, "command-failed")) throw error;
    throw explainFailure(name, packages, error);
  } finally {
    if (!signal.aborted) await cleanJob(connection, job);
  }
}

/**
 * A mirror is taken alone, with lists of its own, so that the host's sources stay what they are. apt takes the signatures of the distribution's keyring, as
 * for its own mirrors.
 */
function installScript(packages: readonly string[], mirror: string | undefined, note: string): Shell {
  const sources =
    mirror === undefined
      ? sh`lists=/var/lib/apt/lists`
      : sh`lists=$(mktemp -d /tmp/stackyard-apt.XXXXXXXXXX)
trap 'rm -rf -- "$lists"' EXIT
chmod 755 "$lists"
. /etc/os-release
keyring=/usr/share/keyrings/$ID-archive-keyring.gpg components=main
[ "$ID" != ubuntu ] || components='main universe'
signed=
[ ! -e "$keyring" ] || signed="[signed-by=$keyring] "
printf 'deb %s%s %s %s\n' "$signed" ${mirror} "$VERSION_CODENAME" "$components" > "$lists/stackyard.list"
set -- "$@" -o "Dir::Etc::SourceList=$lists/stackyard.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$lists"`;
  return sh`umask 022
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
set -- -q ${`-oDPkg::Lock::Timeout=${String(lockSeconds)}`} -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold
${sources}
# Installing waits for the locks of another apt by itself, updating does not.
update() {
  waited=0
  until said=$(apt-get "$@" update 2>&1); do
    printf '%s\n' "$said"
    case $said in (*'Could not get lock'*) ;; (*) return 1 ;; esac
    [ "$waited" -lt ${lockSeconds} ] || return 1
    sleep ${lockRetrySeconds}
    waited=$((waited + ${lockRetrySeconds}))
  done
  printf '%s\n' "$said"
}
# What is about to come is noted first, so that a broken installation is known too.
install() {
  plan=$(apt-get "$@" --simulate install --no-install-recommends ${packages}) || { printf '%s\n' "$plan"; return 1; }
  printf '%s\n' "$plan" | sed -n 's/^Inst \([^ ]*\) (.*/\1/p' >> ${note}
  apt-get "$@" install -y --no-install-recommends ${packages}
}
# What a broken installation left.
[ -z "$(dpkg --audit)" ] || dpkg --configure -a
updated=
if [ -z "$(find "$lists" -name '*_Packages*' -print -quit)" ]; then
  update "$@"
  updated=yes
fi
install "$@" || {
  [ -z "$updated" ] || exit 1
  update "$@"
  install "$@"
}`;
}

/** Starts one of a service's units, and enables it. */
function startService(units: readonly string[]): Shell {
  return sh`if [ -d /run/systemd/system ]; then
  for unit in ${units}; do
    if systemctl cat "$unit" > /dev/null 2>&1; then
      systemctl enable --now "$unit"
      break
    fi
  done
fi`;
}

/** What apt says is wrong comes first; the rest is in the notes. */
function explainFailure(host: string, packages: readonly string[], error: StackyardError): StackyardError {
  const notes = error.notes;
  const faults = notes.flatMap((note) => note.split("\n").filter((line) => line.startsWith("E: ")));
  const why = faults.length === 0 ? error.message : faults.map((line) => line.slice(3)).join(" ");
  return new StackyardError("host-unsuitable", {
    message: `Host ${host} could not install ${packages.join(" ")}: ${why}`,
    notes,
    cause: error,
    remedy: `${describeInstallation({ hasApt: true }, packages)}; or give it another source: packageMirror.`,
  });
}
