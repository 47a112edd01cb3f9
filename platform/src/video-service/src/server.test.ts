import { type StandIn, startForTest } from "@platform/database/testing";
import { openPool, type Pool, readApiDocument } from "@platform/service-kit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createVideoService } from "./server.ts";
import { createVideos } from "./videos.ts";

let database: StandIn;
let pool: Pool;

beforeAll(async () => {
  database = await startForTest();
  pool = openPool({
    url: database.serviceUrl("videos"),
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
beforeEach(() => pool.query("DELETE FROM videos"));

const bearer = (sub: string, role = "user") => ({
  authorization: `Bearer e30.${Buffer.from(JSON.stringify({ sub, role })).toString("base64url")}.c2ln`,
});
const [alice, carol, admin] = [bearer("alice"), bearer("carol"), bearer("bob", "admin")];
const build = () =>
  createVideoService({ videos: createVideos(pool), api: readApiDocument(), checks: {} }, { version: "v2", logLevel: "silent" });

const create = async (title: string, headers = alice) =>
  (await build().inject({ method: "POST", url: "/api/v1/videos", headers, payload: { title } })).json() as { id: string; status: string };
const list = async (headers = alice, query = "") =>
  (await build().inject({ url: `/api/v1/videos${query}`, headers })).json() as {
    videos: { id: string; title: string }[];
    next: string | null;
  };
const administer = (id: string, action: string, headers = admin) =>
  build().inject({ method: "POST", url: `/admin/videos/${id}/${action}`, headers });

describe("videos", () => {
  test("a new one is a draft that only its owner sees", async () => {
    const { id, status } = await create("One");
    expect(status).toBe("draft");
    expect((await list(alice)).videos).toHaveLength(1);
    expect((await list(carol)).videos).toHaveLength(0);
    expect((await build().inject({ url: `/api/v1/videos/${id}`, headers: carol })).statusCode).toBe(404);
    expect((await build().inject({ url: `/api/v1/videos/${id}`, headers: alice })).statusCode).toBe(200);
  });

  test("a published one is seen by everyone, one that was taken down by its owner", async () => {
    const { id } = await create("One");
    expect((await administer(id, "publish")).json()).toMatchObject({ id, status: "published" });
    expect((await list(carol)).videos.map((video) => video.id)).toEqual([id]);
    expect((await administer(id, "take-down")).json()).toMatchObject({ status: "taken-down" });
    expect((await list(carol)).videos).toEqual([]);
    expect((await list(alice)).videos).toHaveLength(1);
  });

  test("publishing again changes nothing", async () => {
    const { id } = await create("One");
    const first = (await administer(id, "publish")).json();
    expect((await administer(id, "publish")).json()).toEqual(first);
  });

  test("pages hold every video once, newest first", async () => {
    for (const title of ["1", "2", "3", "4", "5"]) await create(title);
    const seen: string[] = [];
    let after = "";
    do {
      const page = await list(alice, `?limit=2${after}`);
      seen.push(...page.videos.map((video) => video.title));
      after = page.next === null ? "" : `&after=${page.next}`;
    } while (after !== "");
    expect(seen.toSorted()).toEqual(["1", "2", "3", "4", "5"]);
    expect(seen[0]).toBe("5");
  });

  test.each(["?limit=0", "?limit=101", "?limit=x", "?after=x", "?role=admin"])("the query %s is refused", async (query) => {
    expect((await build().inject({ url: `/api/v1/videos${query}`, headers: alice })).statusCode).toBe(400);
  });

  test("everything needs a token", async () => {
    const server = build();
    for (const url of ["/api/v1/videos", "/api/v1/videos/00000000-0000-4000-8000-000000000000"]) {
      expect((await server.inject({ url })).statusCode).toBe(401);
    }
  });
});

describe("the admin API", () => {
  test("refuses who is no admin, though the mesh should have", async () => {
    const { id } = await create("One");
    expect((await administer(id, "publish", alice)).statusCode).toBe(403);
    expect((await list(carol)).videos).toEqual([]);
  });

  test("knows no video that is not there", async () => {
    expect((await administer("00000000-0000-4000-8000-000000000000", "publish")).statusCode).toBe(404);
  });
});

test("the answer names the version, so that a canary's share can be seen", async () => {
  expect((await build().inject({ url: "/health/live" })).headers["x-service-version"]).toBe("v2");
});
