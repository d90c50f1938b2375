import { runOnHost } from "../../lab/lab.ts";

/** The hosts of a lab, as a test looks at them. */
export interface LabHosts {
  /** Runs a shell command on a host, which must succeed, and gives its output. */
  onHost(host: string, command: string): Promise<string>;
  /** What is on the hosts: domains, bridges, namespaces, files. */
  survey(): Promise<string>;
}

const surveyCommand =
  "virsh -q list --all --uuid; ovs-vsctl --columns=name list interface; ls /run/netns 2>/dev/null; find /var/lib/libvirt/images -mindepth 1";

export function lookAtHosts(labName: string, hosts: readonly string[]): LabHosts {
  const onHost = async (host: string, command: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await runOnHost(labName, host, ["sh", "-c", command]);
    if (exitCode !== 0) throw new Error(`${host}: ${command}: ${String(exitCode)}\n${stderr}`);
    return stdout;
  };
  return {
    onHost,
    survey: async () => {
      const parts = hosts.map(async (host) => `${host}\n${await onHost(host, surveyCommand)}`);
      return (await Promise.all(parts)).join("\n");
    },
  };
}
