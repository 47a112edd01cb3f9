import { expect, test } from "vitest";
import { lookupOutside } from "./outside-lookup.ts";

function ask(host: string): Promise<{ readonly answer: unknown; readonly own: readonly string[] }> {
  const own: string[] = [];
  return new Promise((resolve) => {
    lookupOutside((name) => own.push(name))(host, { all: true }, (error, addresses) => resolve({ answer: error?.code ?? addresses, own }));
  });
}

test.each(["localhost", "127.0.0.1", "127.1.2.3", "0.0.0.0", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1"])(
  "a name that leads to %s is not outside, and that is said",
  async (host) => {
    expect(await ask(host)).toEqual({ answer: "EHOSTUNREACH", own: [host] });
  },
);

test.each(["192.0.2.1", "2001:db8::1"])("%s is outside", async (host) => {
  expect(await ask(host)).toMatchObject({ answer: [{ address: host }], own: [] });
});
