import { crc32, deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { unpackEntry } from "./wheel.ts";

/** A zip archive with these files (APPNOTE 4.3). */
function zip(files: Readonly<Record<string, { readonly bytes: Buffer; readonly isPacked: boolean }>>): Buffer {
  const [local, directory]: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  for (const [name, { bytes, isPacked }] of Object.entries(files)) {
    const packed = isPacked ? deflateRawSync(bytes) : bytes;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(isPacked ? 8 : 0, 4);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(name.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.from("PK\x01\x02\x14\x00", "latin1"), common, tail, Buffer.from(name));
    const one = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, Buffer.from(name), packed]);
    local.push(one);
    at += one.length;
  }
  const end = Buffer.alloc(18);
  end.writeUInt16LE(Object.keys(files).length, 6);
  end.writeUInt32LE(Buffer.concat(directory).length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...local, ...directory, Buffer.from("PK\x05\x06", "latin1"), end]);
}

describe("unpackEntry", () => {
  const archive = zip({
    other: { bytes: Buffer.from("no"), isPacked: false },
    packed: { bytes: Buffer.from("program ".repeat(1_000)), isPacked: true },
    stored: { bytes: Buffer.from("as it is"), isPacked: false },
  });

  test.each([
    { name: "packed", expected: "program ".repeat(1_000) },
    { name: "stored", expected: "as it is" },
  ])("finds the $name entry", async ({ name, expected }) => {
    expect(String(await unpackEntry(archive, name))).toBe(expected);
  });

  test.each([
    { title: "an entry that is not there", given: archive, name: "missing", message: "holds no missing" },
    { title: "what is no archive", given: Buffer.from("<html>"), name: "packed", message: "no zip archive" },
    { title: "an archive that is cut short", given: archive.subarray(0, 40), name: "packed", message: "no zip archive" },
  ])("refuses $title", async ({ given, name, message }) => {
    await expect(unpackEntry(given, name)).rejects.toThrow(message);
  });
});
