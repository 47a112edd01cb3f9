import { Resolver } from "node:dns/promises";
import { describe, expect, test } from "vitest";
import { startDns } from "./dns.ts";
import { formatAnswer, parseQuery } from "./dns-message.ts";

describe("startDns", () => {
  test("a real resolver gets the relay address of an opened host, whatever the case; nothing for other types; NXDOMAIN for the rest", async () => {
    const server = await startDns({
      address: "127.0.0.1",
      port: 0,
      find: (name) => (name === "db.example.com" ? "10.245.3.4" : undefined),
    });
    const resolver = new Resolver({ timeout: 2000, tries: 1 });
    resolver.setServers([`127.0.0.1:${server.port}`]);
    await expect(resolver.resolve4("DB.example.com")).resolves.toEqual(["10.245.3.4"]);
    await expect(resolver.resolve6("db.example.com")).rejects.toMatchObject({ code: "ENODATA" });
    await expect(resolver.resolve4("evil.example.com")).rejects.toMatchObject({ code: "ENOTFOUND" });
    await server.close();
  });
});

describe("parseQuery", () => {
  const query = (over: Partial<{ flags: number; count: number; name: Buffer }> = {}) => {
    const header = Buffer.alloc(12);
    header.writeUInt16BE(over.flags ?? 0x0100, 2);
    header.writeUInt16BE(over.count ?? 1, 4);
    return Buffer.concat([header, over.name ?? Buffer.from("\x01a\x02bc\x00"), Buffer.from([0, 1, 0, 1])]);
  };

  test("reads the name", () => {
    expect(parseQuery(query())).toMatchObject({ name: "a.bc", type: 1, class: 1, recursionDesired: true });
  });

  test.each([
    { title: "nothing", message: Buffer.alloc(0) },
    { title: "a header alone", message: Buffer.alloc(12) },
    { title: "an answer", message: query({ flags: 0x8100 }) },
    { title: "two questions", message: query({ count: 2 }) },
    { title: "a compressed name, which could point to itself", message: query({ name: Buffer.from([0xc0, 0x0c]) }) },
    { title: "a label that runs over the end", message: query({ name: Buffer.from([60, 97]) }) },
    { title: "a name without an end", message: Buffer.concat([query({ name: Buffer.from("\x01a") }).subarray(0, 14)]) },
    { title: "a name longer than 255 bytes", message: query({ name: Buffer.from(`${"\x01a".repeat(200)}\x00`) }) },
    { title: "more than fits a datagram", message: Buffer.concat([query(), Buffer.alloc(2000)]) },
  ])("takes no $title", ({ message }) => {
    expect(parseQuery(message)).toBeUndefined();
  });

  test("random bytes never throw, and what is parsed can be answered", () => {
    let parsed = 0;
    for (let seed = 1; seed < 5000; seed++) {
      const message = Buffer.from(Array.from({ length: seed % 64 }, (_, i) => ((seed * 2_654_435_761 + i * 40_503) >>> (i % 24)) & 0xff));
      if (message.length > 6) message.writeUInt32BE(0x0000_0001, 2);
      // Mostly short labels, so that some names come to an end.
      if (seed % 3 === 0) for (let i = 12; i < message.length; i++) message[i] = (message[i] ?? 0) & 3;
      const question = parseQuery(message);
      if (question !== undefined) parsed += Number(formatAnswer(question, { kind: "no-such-name" }).length > 12);
    }
    expect(parsed).toBeGreaterThan(0);
  });
});
