import { type StandIn, startForTest } from "@platform/database/testing";
import { type Database, newestMigration, openDatabase, openPool, Problem, readApiDocument, schemaCheck } from "@platform/service-kit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Moderation } from "./moderation.ts";
import { createUserService } from "./server.ts";
import { createUsers, type UserEvents } from "./users.ts";

let standIn: StandIn;
let database: Database;
const told: string[] = [];
const events: UserEvents = {
  signedUp: async (user, transaction) => {
    told.push(user.displayName);
    if (user.displayName === "Unlucky") throw new Error("the event can't be put down");
    await transaction.query("SELECT 1");
  },
};
const calls: unknown[] = [];
const moderation: Moderation = {
  queue: async ({ limit, after }, headers) => {
    if (headers.authorization !== admin.authorization) throw new Problem(403, "Forbidden");
    calls.push([limit, after]);
    return { videos: [], next: null, secret: 1 };
  },
  publish: async (videoId, headers) => {
    calls.push([videoId, headers.authorization]);
    if (videoId.endsWith("f")) throw new Problem(403, "Forbidden");
    return {
      id: videoId,
      owner: "alice",
      ownerName: null,
      title: "t",
      description: "",
      status: "published",
      createdAt: "2026-01-01T00:00:00Z",
      publishedAt: null,
      content: null,
      secret: 1,
    };
  },
  takeDown: async () => ({ id: "an answer that does not fit the API" }),
};

beforeAll(async () => {
  standIn = await startForTest();
  database = openDatabase({
    url: standIn.serviceUrl("users"),
    // The same database, in sessions that can't write, as a replica's can't.
    readerUrl: standIn.serviceUrl("users"),
    ca: standIn.ca,
    poolSize: 4,
    applicationName: "test",
    onIdleError: () => undefined,
  });
});
afterAll(async () => {
  await database.close();
  await standIn.stop();
});
beforeEach(async () => {
  calls.length = 0;
  told.length = 0;
  await database.writer.query("DELETE FROM users");
});

const build = () => {
  const checks = { database: schemaCheck(database.writer, newestMigration(new URL("../migrations/", import.meta.url))) };
  return createUserService(
    { users: createUsers(database, events), moderation, api: readApiDocument(), checks },
    { version: "v1", logLevel: "silent" },
  );
};
const bearer = (claims: object) => ({ authorization: `Bearer e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln` });
const alice = bearer({ sub: "alice", email: "alice@example.com" });
const admin = bearer({ sub: "bob", role: "admin" });
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

  test("tells of a profile that is made, once, and makes none where that fails", async () => {
    await Promise.all([signUp(), signUp()]);
    expect((await signUp(build(), bearer({ sub: "carol" }), "Unlucky")).statusCode).toBe(500);
    expect(told).toEqual(["Alice", "Unlucky"]);
    expect((await build().inject({ url: "/api/v1/users/me", headers: bearer({ sub: "carol" }) })).statusCode).toBe(404);
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

describe("a profile's change", () => {
  const change = (payload: object, headers = alice) => build().inject({ method: "PATCH", url: "/api/v1/users/me", headers, payload });

  test("is the caller's own name, and is found by it", async () => {
    await signUp();
    await signUp(build(), bearer({ sub: "carol" }), "Carol");
    expect((await change({ displayName: " Alicia " })).json()).toMatchObject({ subject: "alice", displayName: "Alicia" });
    const { users } = (await build().inject({ url: "/api/v1/users", headers: alice })).json();
    expect(users.map((user: { displayName: string }) => user.displayName)).toEqual(["Alicia", "Carol"]);
  });

  test.each([{}, { displayName: "" }, { displayName: " " }, { subject: "bob" }, { role: "admin" }])("refuses %j", async (payload) => {
    await signUp();
    expect((await change(payload)).statusCode).toBe(400);
  });

  test("needs a profile, and a token", async () => {
    expect((await change({ displayName: "A" })).statusCode).toBe(404);
    expect((await change({ displayName: "A" }, {} as typeof alice)).statusCode).toBe(401);
  });
});

describe("search", () => {
  const NAMES = ["Alice Aoki", "ＡＬＩＣＥ", "Bob 100% _sure_", "back\\slash", "田中さくら", "Élodie"];
  const search = async (query: Record<string, string>) => {
    const answer = await build().inject({ url: "/api/v1/users", headers: alice, query });
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json() as { users: { displayName: string }[]; next: string | null };
  };
  const namesOf = async (query: Record<string, string>) => (await search(query)).users.map((user) => user.displayName);
  beforeEach(async () => {
    for (const [index, name] of NAMES.entries()) await signUp(build(), bearer({ sub: `user-${index}` }), name);
  });

  test.each([
    { q: "alice", expected: ["ＡＬＩＣＥ", "Alice Aoki"] },
    { q: "ＡＬＩＣＥ a", expected: ["Alice Aoki"] },
    { q: "さく", expected: ["田中さくら"] },
    { q: "éLO", expected: ["Élodie"] },
    { q: "%", expected: ["Bob 100% _sure_"] },
    { q: "％", expected: ["Bob 100% _sure_"] },
    { q: "_", expected: ["Bob 100% _sure_"] },
    { q: "\\", expected: ["back\\slash"] },
    { q: "' OR 1=1 --", expected: [] },
    { q: "nobody", expected: [] },
  ])("for $q finds $expected", async ({ q, expected }) => {
    expect(await namesOf({ q })).toEqual(expected);
  });

  test("in pages finds each once, in the order of names", async () => {
    const seen: string[] = [];
    let after: string | null = "";
    while (after !== null) {
      const page = await search({ limit: "2", ...(after !== "" && { after }) });
      seen.push(...page.users.map((user) => user.displayName));
      after = page.next;
    }
    expect(seen.toSorted()).toEqual(NAMES.toSorted());
    expect(seen).toEqual(await namesOf({}));
  });

  test("shows ids and names only", async () => {
    const { users } = await search({ q: "Élodie" });
    expect(Object.keys(users[0] ?? {}).toSorted()).toEqual(["displayName", "id"]);
  });

  test.each(["?q=", `?q=${"x".repeat(81)}`, "?limit=0", "?limit=101", "?after=x", "?email=a", "?q=a&q=b"])("refuses %s", async (query) => {
    expect((await build().inject({ url: `/api/v1/users${query}`, headers: alice })).statusCode).toBe(400);
  });

  test("with a NUL in it is the client's mistake", async () => {
    expect((await build().inject({ url: "/api/v1/users?q=%00", headers: alice })).statusCode).toBe(400);
  });

  test("needs a token", async () => {
    expect((await build().inject({ url: "/api/v1/users" })).statusCode).toBe(401);
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

  test("an answer of the video service that does not fit the API is a 500", async () => {
    const url = "/api/v1/users/moderation/videos/00000000-0000-4000-8000-000000000000/take-down";
    expect((await build().inject({ method: "POST", url, headers: alice })).statusCode).toBe(500);
  });

  test.each([
    { title: "a page of what waits", query: "", headers: admin, status: 200, asked: [[20, undefined]] },
    { title: "the next one", query: "?limit=5&after=abc", headers: admin, status: 200, asked: [[5, "abc"]] },
    { title: "more than fits an answer", query: "?limit=41", headers: admin, status: 400, asked: [] },
    { title: "it for a member", query: "", headers: alice, status: 403, asked: [] },
  ])("asked for $title, answers $status", async ({ query, headers, status, asked }) => {
    const answer = await build().inject({ url: `/api/v1/users/moderation/videos${query}`, headers });
    expect([answer.statusCode, calls]).toEqual([status, asked]);
    expect(answer.body).not.toContain("secret");
  });

  test("a refusal of the video service reaches the caller", async () => {
    expect((await publish("00000000-0000-4000-8000-00000000000f")).statusCode).toBe(403);
  });
});

test("the service's role reads and writes rows, and changes no table", async () => {
  await expect(database.writer.query("DROP TABLE users")).rejects.toThrow("must be owner");
  await expect(database.writer.query("CREATE TABLE mine (a int)")).rejects.toThrow("permission denied");
});

test("the replica's sessions can't write", async () => {
  await expect(database.reader.query("DELETE FROM users")).rejects.toThrow("read-only transaction");
});

test("a database without the newest migration is not ready", async () => {
  await expect(schemaCheck(database.writer, "9999_future")()).rejects.toThrow("9999_future has not run");
  expect((await build().inject({ url: "/health/ready" })).statusCode).toBe(200);
});

test("a certificate of another authority is refused", async () => {
  const other = await import("node:tls").then(({ rootCertificates }) => rootCertificates[0] ?? "");
  const wrong = openPool({
    url: standIn.serviceUrl("users"),
    ca: other,
    poolSize: 1,
    applicationName: "test",
    onIdleError: () => undefined,
  });
  await expect(wrong.query("SELECT 1")).rejects.toThrow(/certificate|issuer|self-signed/);
  await wrong.end();
});

test("has every operation that the API promises of it", () => {
  const server = build();
  const missing = readApiDocument()
    .operationsOf("users")
    .filter(({ method, url }) => !server.hasRoute({ method: String(method), url }));
  expect(missing.map(({ method, url }) => `${String(method)} ${url}`)).toEqual([]);
});
