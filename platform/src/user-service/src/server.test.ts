import { type StandIn, startForTest } from "@platform/database/testing";
import { newestMigration, openPool, type Pool, Problem, readApiDocument, schemaCheck } from "@platform/service-kit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Moderation } from "./moderation.ts";
import { createUserService } from "./server.ts";
import { createUsers } from "./users.ts";

let database: StandIn;
let pool: Pool;
const calls: unknown[] = [];
const moderation: Moderation = {
  publish: async (videoId, headers) => {
    calls.push([videoId, headers.authorization]);
    if (videoId.endsWith("f")) throw new Problem(403, "Forbidden");
    return {
      id: videoId,
      owner: "alice",
      title: "t",
      description: "",
      status: "published",
      createdAt: "2026-01-01T00:00:00Z",
      publishedAt: null,
      secret: 1,
    };
  },
  takeDown: async () => undefined,
};

beforeAll(async () => {
  database = await startForTest();
  pool = openPool({
    url: database.serviceUrl("users"),
    ca: database.ca,
    poolSize: 4,
    applicationName: "test",
    onIdleError: () => undefined,
  });
}, 60_000);
afterAll(async () => {
  await pool.end();
  await database.stop();
});
beforeEach(async () => {
  calls.length = 0;
  await pool.query("DELETE FROM users");
});

const build = () => {
  const checks = { database: schemaCheck(pool, newestMigration(new URL("../migrations/", import.meta.url))) };
  return createUserService({ users: createUsers(pool), moderation, api: readApiDocument(), checks }, { version: "v1", logLevel: "silent" });
};
const bearer = (claims: object) => ({ authorization: `Bearer e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln` });
const alice = bearer({ sub: "alice", email: "alice@example.com" });
const signUp = (server = build(), headers: Record<string, string> = alice, displayName: unknown = " Alice ") =>
  server.inject({ method: "POST", url: "/api/v1/users", headers, payload: { displayName } });

describe("sign-up", () => {
  test("makes the profile of the token's subject", async () => {
    const answer = await signUp();
    expect(answer.statusCode).toBe(201);
    const user = answer.json();
    expect(user).toMatchObject({ subject: "alice", displayName: "Alice", email: "alice@example.com", role: "user" });
    expect(answer.headers.location).toBe(`/api/v1/users/${user.id}`);
  });

  test("again returns the profile that is there", async () => {
    const first = await signUp();
    const second = await signUp(build(), alice, "Somebody else");
    expect(second.statusCode).toBe(200);
    expect(second.json()).toEqual(first.json());
  });

  test("twenty at once make one profile", async () => {
    const server = build();
    const answers = await Promise.all(Array.from({ length: 20 }, () => signUp(server)));
    expect(answers.filter(({ statusCode }) => statusCode === 201)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.json().id)).size).toBe(1);
  });

  test.each([{ displayName: "" }, { displayName: "   " }, { displayName: "x".repeat(81) }, { displayName: null }])(
    "refuses $displayName as a name",
    async ({ displayName }) => {
      expect((await signUp(build(), alice, displayName)).statusCode).toBe(400);
    },
  );

  test("takes no role and no subject from the body", async () => {
    const answer = await build().inject({
      method: "POST",
      url: "/api/v1/users",
      headers: alice,
      payload: { displayName: "A", role: "admin" },
    });
    expect(answer.statusCode).toBe(400);
  });

  test("needs a token", async () => {
    expect((await signUp(build(), {})).statusCode).toBe(401);
  });
});

describe("profiles", () => {
  test("the caller sees all of his own, with the role that the token says now", async () => {
    await signUp();
    const answer = await build().inject({ url: "/api/v1/users/me", headers: bearer({ sub: "alice", role: "admin" }) });
    expect(answer.json()).toMatchObject({ subject: "alice", role: "admin", email: "alice@example.com" });
  });

  test("before sign-up there is none", async () => {
    expect((await build().inject({ url: "/api/v1/users/me", headers: alice })).statusCode).toBe(404);
  });

  test("others see the name only", async () => {
    const { id } = (await signUp()).json();
    const answer = await build().inject({ url: `/api/v1/users/${id}`, headers: bearer({ sub: "carol" }) });
    expect(answer.json()).toEqual({ id, displayName: "Alice" });
  });

  test.each([
    { id: "00000000-0000-4000-8000-000000000000", status: 404 },
    { id: "1' OR '1'='1", status: 400 },
  ])("the id $id gives $status", async ({ id, status }) => {
    expect((await build().inject({ url: `/api/v1/users/${encodeURIComponent(id)}`, headers: alice })).statusCode).toBe(status);
  });
});

const publish = (id: string) => build().inject({ method: "POST", url: `/api/v1/users/moderation/videos/${id}/publish`, headers: alice });

describe("moderation", () => {
  test("passes the caller's token on, and shows what the API says and no more", async () => {
    const id = "00000000-0000-4000-8000-000000000000";
    const answer = await publish(id);
    expect(calls).toEqual([[id, alice.authorization]]);
    expect(answer.json()).toMatchObject({ id, status: "published" });
    expect(answer.body).not.toContain("secret");
  });

  test("a refusal of the video service reaches the caller", async () => {
    expect((await publish("00000000-0000-4000-8000-00000000000f")).statusCode).toBe(403);
  });
});

test("the service's role reads and writes rows, and changes no table", async () => {
  await expect(pool.query("DROP TABLE users")).rejects.toThrow("must be owner");
  await expect(pool.query("CREATE TABLE mine (a int)")).rejects.toThrow("permission denied");
});

test("a database without the newest migration is not ready", async () => {
  await expect(schemaCheck(pool, "9999_future")()).rejects.toThrow("9999_future has not run");
  expect((await build().inject({ url: "/health/ready" })).statusCode).toBe(200);
});

test("a certificate of another authority is refused", async () => {
  const other = await import("node:tls").then(({ rootCertificates }) => rootCertificates[0] ?? "");
  const wrong = openPool({
    url: database.serviceUrl("users"),
    ca: other,
    poolSize: 1,
    applicationName: "test",
    onIdleError: () => undefined,
  });
  await expect(wrong.query("SELECT 1")).rejects.toThrow(/certificate|issuer|self-signed/);
  await wrong.end();
});
