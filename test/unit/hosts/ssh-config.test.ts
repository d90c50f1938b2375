import { describe, expect, it } from "vitest";
import { expandIncludes, isEncryptedKey, resolveSshTarget } from "../../../providers/hosts/ssh-config.ts";

const environment = { home: "/home/ada", user: "ada", agentSocket: "/run/agent" };
const resolve = (text: string, address: object = {}): ReturnType<typeof resolveSshTarget> =>
  resolveSshTarget(text, { name: "one", address: "kvm1", ...address }, environment);

describe("resolveSshTarget", () => {
  it("has OpenSSH's defaults, and root for the user", () => {
    expect(resolve("")).toEqual({
      host: "kvm1",
      port: 22,
      user: "root",
      identityFiles: [],
      usualIdentityFiles: ["/home/ada/.ssh/id_ed25519", "/home/ada/.ssh/id_ecdsa", "/home/ada/.ssh/id_rsa"],
      agentSocket: "/run/agent",
      knownHostsFiles: [
        "/home/ada/.ssh/known_hosts",
        "/home/ada/.ssh/known_hosts2",
        "/etc/ssh/ssh_known_hosts",
      ],
      jumps: [],
      connectTimeoutMs: 15_000,
    });
  });

  it("takes the settings of the host's block", () => {
    const text = `Host kvm1
      HostName 10.0.0.1
      Port 2222
      User ops
      IdentityFile ~/.ssh/kvm
      UserKnownHostsFile ~/.ssh/kvm_hosts /etc/more_hosts
      ConnectTimeout 4
    Host other
      Port 9`;
    expect(resolve(text)).toMatchObject({
      host: "10.0.0.1",
      port: 2222,
      user: "ops",
      identityFiles: ["/home/ada/.ssh/kvm"],
      knownHostsFiles: ["/home/ada/.ssh/kvm_hosts", "/etc/more_hosts"],
      connectTimeoutMs: 4_000,
    });
  });

  it("lets the address win", () => {
    const text = "Host kvm1\n  Port 2222\n  User ops\n  IdentityFile /config/key\n  ProxyJump bastion";
    const address = {
      port: 22,
      user: "root",
      identityFile: "/my/key",
      knownHostsFile: "/my/hosts",
      proxyJump: "none",
    };
    expect(resolve(text, address)).toMatchObject({
      port: 22,
      user: "root",
      identityFiles: ["/my/key"],
      knownHostsFiles: ["/my/hosts"],
      jumps: [],
    });
  });

  it("takes the first value that it meets, and every IdentityFile", () => {
    const text =
      "host KVM*\n  Port 1\nHost kvm?\n  port 1111\n  identityfile /a\nHost *\n  Port 2222\n  IdentityFile /b";
    expect(resolve(text)).toMatchObject({ port: 1111, identityFiles: ["/a", "/b"] });
  });

  it("fills the tokens of paths and names", () => {
    const text =
      "Host kvm1\n  HostName %h.example\n  User ops\n  Port 7\n  IdentityFile %d/keys/%r@%h:%p-%u-%%";
    expect(resolve(text)).toMatchObject({
      host: "kvm1.example",
      identityFiles: ["/home/ada/keys/ops@kvm1.example:7-ada-%"],
    });
  });

  it.each([
    ["none", undefined],
    ["SSH_AUTH_SOCK", "/run/agent"],
    ["~/agent.sock", "/home/ada/agent.sock"],
  ])("takes %s as the IdentityAgent", (value, agentSocket) => {
    expect(resolve(`Host *\n  IdentityAgent ${value}`).agentSocket).toBe(agentSocket);
  });

  it("reads a chain of ProxyJump", () => {
    expect(resolve("Host *\n  ProxyJump ops@gate:2222, [fd00::1]:22,inner").jumps).toEqual([
      { address: "gate", port: 2222, user: "ops" },
      { address: "fd00::1", port: 22 },
      { address: "inner" },
    ]);
  });

  it("does not run what Match exec says", () => {
    expect(resolve('Match exec "true"\n  Port 2222').port).toBe(22);
  });

  it.each([
    ["ProxyJump a b", "proxyJump"],
    ["Port many", "port"],
    ["Port 70000", "port"],
    ["ProxyCommand nc gate 22", "ProxyCommand"],
  ])("refuses %s", (setting, field) => {
    expect(() => resolve(`Host *\n  ${setting}`)).toThrow(
      expect.objectContaining({ code: "invalid-input", field }) as Error,
    );
  });
});

describe("expandIncludes", () => {
  it("puts the files in place, each closed before the next line", () => {
    const files: Record<string, string> = { "conf.d/*": "Host kvm1\n  Port 2222" };
    const text = expandIncludes("Include conf.d/*\nUser ops", (pattern) => [files[pattern] ?? ""]);
    expect(resolve(text)).toMatchObject({ port: 2222, user: "ops" });
    expect(resolve(text, { address: "kvm2" })).toMatchObject({ port: 22, user: "ops" });
  });

  it("ends at a loop", () => {
    expect(expandIncludes("Include self", () => ["Include self"])).not.toContain("Include");
  });
});

describe("isEncryptedKey", () => {
  const openssh = (cipher: string): string => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(cipher.length);
    const body = Buffer.concat([Buffer.from("openssh-key-v1\0"), length, Buffer.from(cipher)]).toString(
      "base64",
    );
    return `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`;
  };

  it.each([
    [openssh("aes256-ctr"), true],
    [openssh("none"), false],
    ["-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", true],
    ["-----BEGIN ENCRYPTED PRIVATE KEY-----\n", true],
    ["-----BEGIN RSA PRIVATE KEY-----\nAAAA\n", false],
  ])("tells of %j: %s", (text, isEncrypted) => {
    expect(isEncryptedKey(text)).toBe(isEncrypted);
  });
});
