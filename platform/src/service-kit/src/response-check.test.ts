import { expect, test } from "vitest";
import { createServer } from "./server.ts";

const schema = {
  response: {
    200: {
      type: "object",
      additionalProperties: false,
      required: ["id"],
      properties: { id: { type: "string", format: "uuid" }, note: { type: ["string", "null"] } },
    },
  },
};
const ID = "0199f2a4-6c1e-7d55-9b3e-0d6a4f3b2c1d";

async function answer(payload: unknown) {
  const lines: string[] = [];
  const server = createServer({ name: "test", version: "v1", logLevel: "error", logTo: { write: (line) => lines.push(line) } });
  server.get("/x", { schema }, async () => payload);
  return { answer: await server.inject("/x"), log: lines.join("") };
}

test("an answer that fits is sent, without the fields that the API does not have", async () => {
  const { answer: sent } = await answer({ id: ID, note: null, passwordHash: "x" });
  expect([sent.statusCode, sent.json()]).toEqual([200, { id: ID, note: null }]);
});

test.each([
  { title: "misses a field", payload: { note: "a" }, reason: "must have required property 'id'" },
  { title: "has a field of another type", payload: { id: ID, note: 7 }, reason: "must be" },
  { title: "has a field of another form", payload: { id: "7" }, reason: 'must match format \\"uuid\\"' },
])("an answer that $title becomes a 500, and the log says why", async ({ payload, reason }) => {
  const { answer: sent, log } = await answer(payload);
  expect(sent.json()).toMatchObject({ status: 500, title: "Internal server error" });
  expect(log).toContain(reason);
});
