import { describe, expect, it } from "vitest";
import {
  convertImage,
  createOverlay,
  parseImageInfo,
  parseProgress,
  showImage,
} from "../../../providers/hosts/qemu-img.ts";

/** As qemu-img 7.2 prints it. */
const overlay = {
  "backing-filename-format": "raw",
  "virtual-size": 2147483648,
  filename: "/a.qcow2",
  format: "qcow2",
  "actual-size": 200704,
  "format-specific": { type: "qcow2", data: { compat: "1.1", "data-file": "/outside.raw", corrupt: false } },
  "backing-filename": "/base.raw",
  "dirty-flag": false,
};

describe("parseImageInfo", () => {
  it("reads an overlay with its data outside", () => {
    expect(parseImageInfo(JSON.stringify(overlay))).toEqual({
      format: "qcow2",
      virtualBytes: 2147483648,
      actualBytes: 200704,
      backingFile: "/base.raw",
      dataFile: "/outside.raw",
    });
  });

  it("reads a raw image", () => {
    const raw = { filename: "/r", format: "raw", "virtual-size": 512, "actual-size": 0, "dirty-flag": false };
    expect(parseImageInfo(JSON.stringify(raw))).toMatchObject({
      format: "raw",
      backingFile: undefined,
      dataFile: undefined,
    });
  });

  it.each(["", "{}", "qemu-img: Could not open"])("refuses %j", (text) => {
    expect(() => parseImageInfo(text)).toThrow(expect.objectContaining({ code: "command-failed" }) as Error);
  });
});

describe("parseProgress", () => {
  it("takes the last figure", () => {
    expect(parseProgress("    (0.00/100%)\r    (42.50/100%)\r")).toBe(0.425);
  });

  it("knows none where none was printed", () => {
    expect(parseProgress("")).toBeUndefined();
  });
});

describe("commands", () => {
  it("names the format of the base, so that it is not guessed", () => {
    expect(createOverlay("/o", "/b", "raw", 10).text).toBe(
      "qemu-img create -q -f qcow2 -F 'raw' -b '/b' -- '/o' '10G'",
    );
  });

  it("looks at an image in use", () => {
    expect(showImage("/x", "qcow2").text).toBe(
      "qemu-img info --force-share --output=json '-f' 'qcow2' -- '/x'",
    );
  });

  it.each(["nbd:host:1", "json:{}", "relative"])(
    "refuses the path %s, which qemu-img reads in its own way",
    (path) => {
      expect(() => convertImage(path, "qcow2", "/x", "raw")).toThrow("starts at the root");
    },
  );
});
