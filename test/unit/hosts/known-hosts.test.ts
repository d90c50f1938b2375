import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  fingerprint,
  judgeHostKey,
  knownKeyTypes,
  parseKnownHosts,
} from "../../../providers/hosts/known-hosts.ts";

/** A public key in wire form; only its type is true. */
function makeKey(type: string, body: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return Buffer.concat([length, Buffer.from(type), Buffer.from(body)]);
}

const ours = makeKey("ssh-ed25519", "ours");
const other = makeKey("ssh-ed25519", "other");
const rsa = makeKey("ssh-rsa", "rsa");
const line = (names: string, key: Buffer): string =>
  `${names} ${key === rsa ? "ssh-rsa" : "ssh-ed25519"} ${key.toString("base64")} comment`;
const hashed = (name: string): string => {
  const salt = Buffer.from("twenty bytes of salt");
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
};
const judge = (text: string, host: string, port = 22, key = ours): string =>
  judgeHostKey(parseKnownHosts(text, "known_hosts"), host, port, key).verdict;

describe("judgeHostKey", () => {
  it("trusts a key that is listed for the host", () => {
    expect(judge(line("a.example", ours), "a.example")).toBe("trusted");
  });

  it("knows hosts whatever the case of their name", () => {
    expect(judge(line("A.example", ours), "a.EXAMPLE")).toBe("trusted");
  });

  it("does not know a host that is not listed", () => {
    expect(judge(line("a.example", ours), "b.example")).toBe("unknown");
  });

  it("says changed for another key of a listed host", () => {
    expect(judge(line("a.example", other), "a.example")).toBe("changed");
  });

  it("says changed for a key of another type than the one that is listed", () => {
    expect(judge(line("a.example", rsa), "a.example")).toBe("changed");
  });

  it("trusts any of several keys of a host", () => {
    expect(judge([line("a.example", rsa), line("a.example", ours)].join("\n"), "a.example")).toBe("trusted");
  });

  it("lists the lines that know the host otherwise", () => {
    const lines = parseKnownHosts(`\n${line("a.example", other)}`, "/etc/known");
    expect(judgeHostKey(lines, "a.example", 22, ours)).toMatchObject({ known: [{ source: "/etc/known:2" }] });
  });

  it("does not take a revoked key", () => {
    const text = [line("a.example", ours), `@revoked ${line("*", ours)}`].join("\n");
    expect(judge(text, "a.example")).toBe("revoked");
  });

  it("takes other keys beside a revoked one", () => {
    const text = [line("a.example", ours), `@revoked ${line("*", other)}`].join("\n");
    expect(judge(text, "a.example")).toBe("trusted");
  });

  it("does not trust a certificate authority as a host", () => {
    expect(judge(`@cert-authority ${line("*.example", ours)}`, "a.example")).toBe("unknown");
  });

  it("tells of the certificate authorities that it cannot use", () => {
    const lines = parseKnownHosts(`@cert-authority ${line("*.example", ours)}`, "k");
    expect(judgeHostKey(lines, "a.example", 22, ours)).toMatchObject({ authorities: [{ source: "k:1" }] });
  });

  it.each([
    ["[a.example]:2222", "a.example", 2222, "trusted"],
    ["a.example", "a.example", 2222, "unknown"],
    ["[a.example]:2222", "a.example", 22, "unknown"],
    ["[::1]:2222", "::1", 2222, "trusted"],
    ["::1", "::1", 22, "trusted"],
    ["b.example,a.example", "a.example", 22, "trusted"],
    ["*.example", "a.example", 22, "trusted"],
    ["?.example", "ab.example", 22, "unknown"],
    ["a.example", "aXexample", 22, "unknown"],
    ["*.example,!a.example", "a.example", 22, "unknown"],
    ["[10.0.0.*]:2222", "10.0.0.7", 2222, "trusted"],
  ])("reads the names %s for %s port %d as %s", (names, host, port, verdict) => {
    expect(judge(line(names, ours), host, port)).toBe(verdict);
  });

  it("knows hashed names", () => {
    expect(judge(line(hashed("a.example"), ours), "A.example")).toBe("trusted");
  });

  it("knows hashed names with a port", () => {
    expect(judge(line(hashed("[a.example]:2222"), ours), "a.example", 2222)).toBe("trusted");
  });

  it("does not take one hashed name for another", () => {
    expect(judge(line(hashed("a.example"), ours), "b.example")).toBe("unknown");
  });

  it.each([
    "",
    "# a.example",
    "a.example",
    "a.example ssh-ed25519",
    "a.example ssh-ed25519 %%%",
    "@other a.example ssh-ed25519 AAAA",
    "|1|x a b",
  ])("skips the line %j", (text) => {
    expect(parseKnownHosts(text, "k")).toEqual([]);
  });

  it("skips a key whose type is not what the line says", () => {
    expect(parseKnownHosts(`a.example ssh-rsa ${ours.toString("base64")}`, "k")).toEqual([]);
  });
});

describe("knownKeyTypes", () => {
  it("names the types known of a host once each, without those of revoked keys", () => {
    const text = [line("a", ours), line("a", other), line("b", rsa), `@revoked ${line("a", rsa)}`].join("\n");
    expect(knownKeyTypes(parseKnownHosts(text, "k"), "a", 22)).toEqual(["ssh-ed25519"]);
  });
});

describe("fingerprint", () => {
  it("prints as ssh-keygen does", () => {
    const key = Buffer.from("AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", "base64");
    expect(fingerprint(key)).toBe("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
  });
});
