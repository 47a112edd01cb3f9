import { randomBytes } from "node:crypto";
import { connect as connectHttp2 } from "node:http2";
import { createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { decodeHeaders, encodeHeaders } from "./hpack.ts";
import { decodeHuffman } from "./huffman.ts";

test("what is encoded is decoded, of any length", () => {
  const lines = [
    [":path", ""],
    ["x", "y".repeat(126)],
    ["x", "y".repeat(127)],
    ["x", "y".repeat(128)],
    ["ü", "z".repeat(100_000)],
  ] as const;
  expect(decodeHeaders(encodeHeaders(lines))).toEqual(lines);
});

test.each([
  // RFC 7541, C.2.2, C.2.4, C.4.1 (without its table), C.6.1's first line.
  { title: "a literal with a name of the static table", bytes: "040c2f73616d706c652f70617468", lines: [[":path", "/sample/path"]] },
  { title: "an entry of the static table", bytes: "82", lines: [[":method", "GET"]] },
  { title: "the last entry of the static table", bytes: "0f2e0161", lines: [["www-authenticate", "a"]] },
  { title: "Huffman's code", bytes: "018cf1e3c2e5f23a6ba0ab90f4ff", lines: [[":authority", "www.example.com"]] },
  { title: "a table of size 0", bytes: "2088", lines: [[":status", "200"]] },
  {
    title: "a literal that would enter the table",
    bytes: "488264025885aec3771a4b",
    lines: [
      [":status", "302"],
      ["cache-control", "private"],
    ],
  },
])("$title is read", ({ bytes, lines }) => {
  expect(decodeHeaders(Buffer.from(bytes, "hex"))).toEqual(lines);
});

test.each([
  { title: "an entry of a table that we don't keep", bytes: "be" },
  { title: "entry 0", bytes: "80" },
  { title: "a text longer than its block", bytes: "000161057a" },
  { title: "a length without an end", bytes: "00ffffffffffffffffff" },
  { title: "a table of size 4096", bytes: "3fe11f88" },
  { title: "padding of a whole byte", bytes: "00016182ffff" },
  { title: "padding of zeros", bytes: "0001618118" },
])("$title is refused", ({ bytes }) => {
  expect(decodeHeaders(Buffer.from(bytes, "hex"))).toBeUndefined();
});

test("random blocks never throw", () => {
  for (let i = 0; i < 5_000; i++) expect(() => decodeHeaders(randomBytes(i % 60))).not.toThrow();
});

test("every byte that Node's client packs with Huffman's code is the same again", async () => {
  const frames = Promise.withResolvers<Buffer>();
  const server = createServer((socket) => {
    let all = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      all = Buffer.concat([all, chunk]);
      const value = valueOf(all);
      if (value === undefined) return;
      socket.destroy();
      frames.resolve(value);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).on("error", () => {});
  // The digits make the code shorter than the text, or it would not be used. Node takes no byte 0.
  const bytes = Buffer.concat([Buffer.alloc(2_000, "0"), Buffer.from(Array.from({ length: 255 }, (_, i) => i + 1))]);
  session
    .request([":method", "GET", ":path", "/", ":scheme", "http", ":authority", "a", "x", bytes.toString("latin1")])
    .on("error", () => {});
  expect(decodeHuffman(await frames.promise)).toEqual(bytes);
  session.destroy();
  server.close();
});

/** The value of the block's last line, still in Huffman's code. */
function valueOf(sent: Buffer): Buffer | undefined {
  for (let at = 24; at + 9 <= sent.length; at += 9 + sent.readUIntBE(at, 3)) {
    const block = sent.subarray(at + 9, at + 9 + sent.readUIntBE(at, 3));
    if (sent[at + 3] !== 1 || at + 9 + sent.readUIntBE(at, 3) > sent.length) continue;
    // The name `x`, then the flag with a length of more than 127 + 127 bytes.
    const start = block.indexOf(Buffer.from([0x40, 1, 0x78, 0xff]));
    if (start === -1) throw new Error(`no value in ${block.toString("hex").slice(0, 100)}`);
    let next = start + 4;
    let length = 127;
    for (let factor = 1; ; factor *= 128) {
      const byte = block[next++] ?? 0;
      length += (byte & 127) * factor;
      if (byte < 128) break;
    }
    return block.subarray(next, next + length);
  }
  return undefined;
}
