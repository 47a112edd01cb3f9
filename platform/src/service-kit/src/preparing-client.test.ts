import { Client } from "pg";
import { afterEach, expect, test, vi } from "vitest";
import { PreparingClient } from "./preparing-client.ts";

afterEach(() => void vi.restoreAllMocks());

/** What a connection is asked to run. */
function spy() {
  return vi.spyOn(Client.prototype, "query").mockImplementation(() => undefined);
}

test("a query with values is a named statement: the same text the same name, on every connection", () => {
  const asked = spy();
  for (const client of [new PreparingClient(), new PreparingClient()]) {
    void client.query("SELECT $1::text AS a", ["x"]);
    void client.query("SELECT $1::text AS b", ["x"]);
  }
  const given = asked.mock.calls.map(([query]) => query as unknown as { name: string; text: string });
  expect(given.map(({ text }) => text)).toEqual(["a", "b", "a", "b"].map((name) => `SELECT $1::text AS ${name}`));
  expect(given[0]?.name).toBe(given[2]?.name);
  expect(given[0]?.name).not.toBe(given[1]?.name);
});

test("a query without values is sent as it is", () => {
  const asked = spy();
  void new PreparingClient().query("BEGIN");
  expect(asked.mock.calls[0]?.[0]).toBe("BEGIN");
});

test("texts without end don't become statements without end", () => {
  const asked = spy();
  const client = new PreparingClient();
  for (let index = 0; index < 400; index++) void client.query(`SELECT $1::text AS c${index}`, ["x"]);
  expect(asked.mock.calls.filter(([query]) => typeof query !== "string").length).toBeLessThanOrEqual(300);
  expect(asked.mock.calls.at(-1)?.[0]).toBe("SELECT $1::text AS c399");
});
