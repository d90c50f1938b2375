import type * as fs from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { nameOf, parseDownloadStatus, parseUris } from "../../../lab/nested/image/download.ts";
import { manifestSchema, parseStatus } from "../../../lab/nested/image/manifest.ts";
import {
  describeSources,
  hashRecipe,
  hashSources,
  listOverlay,
  listPackages,
  recipeOf,
  recipeOfRoles,
} from "../../../lab/nested/image/recipe.ts";
import type { ImageRecipe } from "../../../lab/nested/image/recipe.ts";
import { hostRoles, parseTopology } from "../../../lab/topology.ts";

/** The file of the lab that reads as another than it is. */
const changed = vi.hoisted(() => ({ name: "" }));

vi.mock("node:fs", async (importOriginal) => {
  const original = await importOriginal<typeof fs>();
  const readFileSync = (...words: Parameters<typeof fs.readFileSync>) =>
    changed.name !== "" && String(words[0]).endsWith(`/${changed.name}`)
      ? "changed"
      : original.readFileSync(...words);
  return { ...original, readFileSync };
});

const compute: ImageRecipe = { distribution: "debian-12", roles: ["compute"] };

describe("a recipe", () => {
  test("has the packages of its roles beside those of every host, each once", () => {
    const both = listPackages({ ...compute, roles: ["compute", "ceph"] });
    expect(both).toEqual([...new Set(both)].sort());
    expect(both).toEqual(expect.arrayContaining(["openssh-server", "libvirt-daemon-system", "ceph-osd"]));
    expect(listPackages(compute)).not.toContain("ceph-osd");
    expect(listPackages({ ...compute, roles: [] })).not.toContain("libvirt-daemon-system");
  });

  test("names the suite, its updates and its security fixes at the mirror", () => {
    expect(
      describeSources({ ...compute, distribution: "debian-13", mirror: "https://mirror.example.org/" }),
    ).toBe(
      [
        "deb https://mirror.example.org/debian trixie main",
        "deb https://mirror.example.org/debian trixie-updates main",
        "deb https://mirror.example.org/debian-security trixie-security main",
        "",
      ].join("\n"),
    );
  });

  test("takes copies from a mirror in files", () => {
    expect(describeSources({ ...compute, mirror: "file:///srv/mirror" })).toContain(
      "deb copy:///srv/mirror/debian ",
    );
  });

  test.each<[string, ImageRecipe]>([
    ["roles", { ...compute, roles: ["ceph"] }],
    ["no roles", { ...compute, roles: [] }],
    ["distribution", { ...compute, distribution: "debian-13" }],
    ["mirror", { ...compute, mirror: "http://mirror.example.org" }],
  ])("of other %s makes another image", (_what, other) => {
    expect(hashRecipe(other)).not.toBe(hashRecipe(compute));
  });

  test.each(["customize.sh", "make-disk.sh", "etc/fstab", "stackyard/identity.sh"])(
    "whose file %s has changed makes another image",
    (name) => {
      const before = hashRecipe(compute);
      changed.name = name;
      const after = hashRecipe(compute);
      changed.name = "";
      expect(after).not.toBe(before);
      expect(hashRecipe(compute)).toBe(before);
    },
  );

  test("of the same roles in another order, or twice, makes the same image", () => {
    const hash = hashRecipe({ ...compute, roles: ["compute", "ceph"] });
    expect(hashRecipe({ ...compute, roles: ["ceph", "compute", "ceph"] })).toBe(hash);
    expect(hash).toMatch(/^[0-9a-f]{16}$/);
    expect(hashRecipe({ ...compute, roles: ["gateway", "gateway"] })).toBe(
      hashRecipe({ ...compute, roles: ["gateway"] }),
    );
  });

  test("shares the lists of its mirror with other roles", () => {
    expect(hashSources({ ...compute, roles: [] })).toBe(hashSources(compute));
    expect(hashSources({ ...compute, distribution: "debian-13" })).not.toBe(hashSources(compute));
  });

  test("of a host without packages is the bare distribution", () => {
    expect(recipeOf(parseTopology({ packages: "none" }), ["compute"]).roles).toEqual([]);
    expect(recipeOf(parseTopology({}), ["compute"]).roles).toEqual(["compute"]);
  });

  test("of a host that runs servers has the clients of Ceph where the lab has one", () => {
    const lab = parseTopology({ hosts: [{ name: "a" }, { name: "c", roles: ["ceph"] }] });
    expect(recipeOf(lab, ["compute"]).roles).toEqual(["compute", "ceph-client"]);
    expect(listPackages(recipeOf(lab, ["compute"]))).toContain("python3-rbd");
    expect(recipeOf(lab, ["ceph"]).roles).toEqual(["ceph"]);
    expect(recipeOf({ ...lab, packages: "none" }, ["compute"]).roles).toEqual([]);
  });

  test("of roles by their names is that of the lab's hosts, whether the client of Ceph is named or follows", () => {
    const lab = parseTopology({ hosts: [{ name: "a" }, { name: "c", roles: ["ceph"] }] });
    const hash = hashRecipe(recipeOf(lab, ["compute"]));
    expect(hashRecipe(recipeOfRoles(lab, ["compute", "ceph-client"]))).toBe(hash);
    expect(hashRecipe(recipeOfRoles(lab, ["compute"]))).toBe(hash);
    expect(hashRecipe(recipeOfRoles(parseTopology({}), ["compute", "ceph-client"]))).toBe(hash);
    expect(recipeOfRoles(parseTopology({}), ["compute"]).roles).toEqual(["compute"]);
  });

  test("of a gateway has what it takes, where other packages are left to enrolment too", () => {
    const recipe = recipeOf(parseTopology({ packages: "none" }), ["compute", "gateway"]);
    expect(recipe.roles).toEqual(["gateway"]);
    expect(listPackages(recipe)).toContain("nftables");
    const paths = (roles: ImageRecipe["roles"]) => listOverlay({ roles }).map(({ path }) => path);
    expect(paths(["gateway", "compute"])).toContain("etc/sysctl.d/90-gateway.conf");
    expect(paths(["compute"])).not.toContain("etc/sysctl.d/90-gateway.conf");
  });

  test("lays no key and no identity of a host over the packages", () => {
    const every = listOverlay({ roles: hostRoles });
    const paths = every.map(({ path }) => path);
    expect(paths).toContain("etc/fstab");
    expect(paths.filter((path) => /ssh_host|authorized_keys|machine-id|hostname|resolv/.test(path))).toEqual(
      [],
    );
    expect(every.filter(({ content }) => /PRIVATE KEY|password\s*=/i.test(content))).toEqual([]);
  });
});

const status = `Package: zlib1g
Status: install ok installed
Architecture: amd64
Version: 1:1.2.13.dfsg-1

Package: vim
Status: deinstall ok config-files
Version: 2:9.0.1378-2

Package: adduser
Status: install ok installed
Conffiles:
 /etc/deluser.conf 773fb95e98a27947de4a95abb3d3f2a2
Version: 3.134

Package: broken
Status: install ok half-configured
Version: 1
`;

test("a status file tells the packages that are installed, in order of their names", () => {
  expect(parseStatus(status)).toEqual([
    { name: "adduser", version: "3.134" },
    { name: "zlib1g", version: "1:1.2.13.dfsg-1" },
  ]);
});

test("a manifest is refused that lacks what a check of its files needs", () => {
  const file = { bytes: 1, sha256: "0" };
  const manifest = {
    version: 1,
    hash: "8da2c942e27ee5c5",
    distribution: "debian-12",
    roles: ["compute"],
    builtAt: "2026-01-01T00:00:00.000Z",
    treeSha256: "0",
    packages: [{ name: "adduser", version: "3.134" }],
    files: { "root.raw": file, vmlinuz: file, initrd: file },
  };
  expect(manifestSchema.parse(manifest)).toEqual(manifest);
  expect(manifestSchema.safeParse({ ...manifest, files: { "root.raw": file } }).success).toBe(false);
  expect(manifestSchema.safeParse({ ...manifest, version: 2 }).success).toBe(false);
});

describe("what apt says", () => {
  const uris = `Reading package lists...
'http://deb.debian.org/debian/pool/main/z/zlib/zlib1g_1.2.13.dfsg-1_amd64.deb' zlib1g_1%3a1.2.13.dfsg-1_amd64.deb 86708 MD5Sum:0
'http://deb.debian.org/debian/pool/main/a/adduser/adduser_3.134_all.deb' adduser_3.134_all.deb 103444 
`;

  test("names the files to download with their sizes", () => {
    expect(parseUris(uris)).toEqual([
      { file: "zlib1g_1%3a1.2.13.dfsg-1_amd64.deb", bytes: 86_708 },
      { file: "adduser_3.134_all.deb", bytes: 103_444 },
    ]);
  });

  test("tells how far a download is", () => {
    expect(parseDownloadStatus("dlstatus:12:34.5679:Retrieving file 12 of 270 (2min remaining)")).toBe(35);
    expect(parseDownloadStatus("pmstatus:dpkg:34:Running dpkg")).toBeUndefined();
    expect(parseDownloadStatus("Get:12 http://deb.debian.org/debian bookworm/main")).toBeUndefined();
  });

  test("names files after package and version", () => {
    expect(nameOf("zlib1g_1%3a1.2.13.dfsg-1_amd64.deb")).toBe("zlib1g 1:1.2.13.dfsg-1");
    expect(nameOf("lock")).not.toContain("lock");
  });
});
