import { type StandIn, startForTest } from "@platform/database/testing";
import { type Database, openDatabase, readApiDocument } from "@platform/service-kit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { adminMethods } from "./admin.ts";
import { createPostgresStore } from "./content/postgres-store.ts";
import { createVideoService } from "./server.ts";
import { createVideos, type VideoEvents } from "./videos.ts";

let standIn: StandIn;
let database: Database;
const told: string[] = [];
const events: VideoEvents = {
  published: async (video, transaction) => {
    told.push(video.id);
    if (video.title === "Unlucky") throw new Error("the event can't be put down");
    await transaction.query("SELECT 1");
  },
};

beforeAll(async () => {
  standIn = await startForTest();
  const url = standIn.serviceUrl("videos");
  const onIdleError = () => undefined;
  // The same database twice: the reader's sessions can't write, as a replica's can't.
  database = openDatabase({ url, readerUrl: url, ca: standIn.ca, poolSize: 4, applicationName: "test", onIdleError });
});
afterAll(async () => {
  await database.close();
  await standIn.stop();
});
beforeEach(async () => {
  told.length = 0;
  await database.writer.query("DELETE FROM videos");
  await database.writer.query("DELETE FROM contents");
});

const bearer = (sub: string, role = "user", name?: string) => ({
  authorization: `Bearer e30.${Buffer.from(JSON.stringify({ sub, role, name })).toString("base64url")}.c2ln`,
});
const [alice, carol, admin] = [bearer("alice"), bearer("carol"), bearer("bob", "admin")];
const MAX_BYTES = 1_000_000;
const build = () => {
  const parts = { videos: createVideos(database, events), store: createPostgresStore(database), api: readApiDocument(), checks: {} };
  return createVideoService({ ...parts, maxBytes: MAX_BYTES }, { version: "v2", logLevel: "silent" });
};

const create = async (title: string, headers = alice) =>
  (await build().inject({ method: "POST", url: "/api/v1/videos", headers, payload: { title } })).json() as { id: string; status: string };
const list = async (headers = alice, query = "") =>
  (await build().inject({ url: `/api/v1/videos${query}`, headers })).json() as {
    videos: { id: string; title: string }[];
    next: string | null;
  };
type Action = "PublishVideo" | "TakeDownVideo";
const administer = async (id: string, action: Action, headers = admin) => {
  const method = adminMethods(createVideos(database, events))[action];
  return (await method?.({ videoId: id }, { headers, log: build().log })) as { id: string; status: string; publishedAt?: unknown };
};
const listWaiting = async (request: { limit: number; after: string }, headers = admin) => {
  const method = adminMethods(createVideos(database, events))["ListWaitingVideos"];
  return (await method?.(request, { headers, log: build().log })) as { videos: { id: string }[]; next: string };
};

const MP4 = Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from("ftypisom"), Buffer.alloc(500_000, 7)]);
const upload = (id: string, { headers = alice, payload = MP4, type = "video/mp4" } = {}) =>
  build().inject({ method: "PUT", url: `/api/v1/videos/${id}/content`, headers: { ...headers, "content-type": type }, payload });
const stream = (id: string, headers: Record<string, string> = alice, method: "GET" | "HEAD" = "GET") =>
  build().inject({ method, url: `/api/v1/videos/${id}/content`, headers: { ...alice, ...headers } });
const createWithContent = async (title = "One") => {
  const { id } = await create(title);
  expect((await upload(id)).statusCode).toBe(200);
  return id;
};
const storedContents = async () => (await database.writer.query("SELECT key FROM contents")).rowCount;

describe("videos", () => {
  test("a new one is a draft that only its owner sees", async () => {
    const { id, status } = await create("One");
    expect(status).toBe("draft");
    expect((await list(alice)).videos).toHaveLength(1);
    expect((await list(carol)).videos).toHaveLength(0);
    expect((await build().inject({ url: `/api/v1/videos/${id}`, headers: carol })).statusCode).toBe(404);
    expect((await build().inject({ url: `/api/v1/videos/${id}`, headers: alice })).statusCode).toBe(200);
  });

  test.each([
    { title: "the name of whoever made it", name: " Alice 有栖 ", ownerName: "Alice 有栖" },
    { title: "no name where the token had none", name: undefined, ownerName: null },
    { title: "no name where the token's is empty", name: " ", ownerName: null },
  ])("a new one carries $title", async ({ name, ownerName }) => {
    const headers = bearer("alice", "user", name);
    expect(await create("One", headers)).toMatchObject({ owner: "alice", ownerName });
    expect((await list(alice)).videos).toMatchObject([{ ownerName }]);
  });

  test("a draft is seen by a moderator, who must look at it, though it is not among his videos", async () => {
    const id = await createWithContent();
    expect((await build().inject({ url: `/api/v1/videos/${id}`, headers: admin })).statusCode).toBe(200);
    expect((await stream(id, admin)).statusCode).toBe(200);
    expect((await list(admin)).videos).toEqual([]);
    expect((await upload(id, { headers: admin })).statusCode).toBe(403);
  });

  test("a published one is seen by everyone, one that was taken down by its owner", async () => {
    const id = await createWithContent();
    expect(await administer(id, "PublishVideo")).toMatchObject({ id, status: "STATUS_PUBLISHED" });
    expect((await list(carol)).videos.map((video) => video.id)).toEqual([id]);
    expect((await stream(id, carol)).statusCode).toBe(200);
    expect(await administer(id, "TakeDownVideo")).toMatchObject({ status: "STATUS_TAKEN_DOWN" });
    expect((await stream(id, carol)).statusCode).toBe(404);
    expect((await list(carol)).videos).toEqual([]);
    expect((await list(alice)).videos).toHaveLength(1);
  });

  test("publishing again changes nothing", async () => {
    const id = await createWithContent();
    const first = await administer(id, "PublishVideo");
    expect(await administer(id, "PublishVideo")).toEqual(first);
    await Promise.all([administer(id, "PublishVideo"), administer(id, "PublishVideo")]);
    expect(told).toEqual([id]);
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

describe("upload", () => {
  test("gives a draft its content, and says what it is", async () => {
    const { id } = await create("One");
    const answer = await upload(id, { type: "video/mp4; codecs=avc1" });
    expect(answer.json()).toMatchObject({ id, status: "draft", content: { mediaType: "video/mp4", sizeBytes: MP4.length } });
    expect(answer.body).not.toContain("key");
    expect((await stream(id)).rawPayload.equals(MP4)).toBe(true);
  });

  test("again replaces all of it, and keeps none of the old bytes", async () => {
    const id = await createWithContent();
    const shorter = MP4.subarray(0, 100);
    expect((await upload(id, { payload: shorter })).statusCode).toBe(200);
    expect((await stream(id)).rawPayload.equals(shorter)).toBe(true);
    expect(await storedContents()).toBe(1);
  });

  test("that is refused changes nothing, and leaves nothing", async () => {
    const id = await createWithContent();
    expect((await upload(id, { payload: Buffer.from("<html>no video") })).statusCode).toBe(415);
    expect((await upload(id, { payload: Buffer.concat([MP4, MP4]) })).statusCode).toBe(413);
    expect((await upload(id, { payload: Buffer.alloc(0) })).statusCode).toBe(400);
    expect((await upload(id, { type: "application/json", payload: Buffer.from("{}") })).statusCode).toBe(415);
    expect((await stream(id)).rawPayload.equals(MP4)).toBe(true);
    expect(await storedContents()).toBe(1);
  });

  test("is the owner's, and only while it is a draft", async () => {
    const id = await createWithContent();
    expect((await upload(id, { headers: carol })).statusCode).toBe(404);
    await administer(id, "PublishVideo");
    expect((await upload(id, { headers: carol })).statusCode).toBe(403);
    expect((await upload(id)).statusCode).toBe(409);
    await administer(id, "TakeDownVideo");
    expect((await upload(id)).statusCode).toBe(409);
    expect((await upload("00000000-0000-4000-8000-000000000000")).statusCode).toBe(404);
  });

  test("that ends after the video was published meanwhile is refused, and its bytes are removed", async () => {
    const id = await createWithContent();
    const videos = createVideos(database, events);
    const late = { ...videos, find: async () => ({ ...(await videos.find(id)), status: "draft" }) as never };
    await administer(id, "PublishVideo");
    const parts = { store: createPostgresStore(database), api: readApiDocument(), checks: {}, maxBytes: MAX_BYTES };
    const server = createVideoService({ ...parts, videos: late }, { version: "v1", logLevel: "silent" });
    const url = `/api/v1/videos/${id}/content`;
    const answer = await server.inject({ method: "PUT", url, headers: { ...alice, "content-type": "video/mp4" }, payload: MP4 });
    expect([answer.statusCode, await storedContents()]).toEqual([409, 1]);
  });

  test("elsewhere than here a video is no body", async () => {
    const answer = await build().inject({
      method: "POST",
      url: "/api/v1/videos",
      headers: { ...alice, "content-type": "video/mp4" },
      payload: MP4,
    });
    expect(answer.statusCode).toBe(415);
  });
});

describe("stream", () => {
  test("sends all of it, as a video and nothing else", async () => {
    const answer = await stream(await createWithContent());
    expect([answer.statusCode, answer.rawPayload.equals(MP4)]).toEqual([200, true]);
    expect(answer.headers).toMatchObject({
      "content-type": "video/mp4",
      "content-length": String(MP4.length),
      "accept-ranges": "bytes",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; sandbox",
      "cache-control": "private, no-cache",
    });
  });

  test("sends the range that was asked for", async () => {
    const answer = await stream(await createWithContent(), { range: "bytes=262140-262150" });
    expect([answer.statusCode, answer.headers["content-range"]]).toEqual([206, `bytes 262140-262150/${MP4.length}`]);
    expect(answer.rawPayload.equals(MP4.subarray(262_140, 262_151))).toBe(true);
  });

  test("says how much there is where a range begins behind the end", async () => {
    const answer = await stream(await createWithContent(), { range: `bytes=${MP4.length}-` });
    expect([answer.statusCode, answer.headers["content-range"]]).toEqual([416, `bytes */${MP4.length}`]);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
  });

  test("sends nothing to whoever has it", async () => {
    const id = await createWithContent();
    const etag = String((await stream(id)).headers.etag);
    const answer = await stream(id, { "if-none-match": etag });
    expect([answer.statusCode, answer.body, answer.headers.etag]).toEqual([304, "", etag]);
  });

  test("shows to HEAD what GET would say, without the bytes", async () => {
    const answer = await stream(await createWithContent(), {}, "HEAD");
    expect([answer.statusCode, answer.headers["content-length"], answer.body]).toEqual([200, String(MP4.length), ""]);
  });

  test("needs content, a token, and the right to see it", async () => {
    const { id } = await create("One");
    expect((await stream(id)).statusCode).toBe(404);
    expect((await upload(id)).statusCode).toBe(200);
    expect((await stream(id, carol)).statusCode).toBe(404);
    expect((await build().inject({ url: `/api/v1/videos/${id}/content` })).statusCode).toBe(401);
  });
});

describe("the admin API", () => {
  test("refuses who is no admin, though the mesh should have", async () => {
    const id = await createWithContent();
    await expect(administer(id, "PublishVideo", alice)).rejects.toMatchObject({ status: 403 });
    await expect(administer(id, "PublishVideo", {} as typeof alice)).rejects.toMatchObject({ status: 401 });
    expect((await list(carol)).videos).toEqual([]);
  });

  test("lists what waits: drafts with content, of everyone, the longest waiting first, each once", async () => {
    const waiting = [await createWithContent("1"), await createWithContent("2")];
    const { id: third } = await create("3", bearer("carol", "user", "Carol"));
    await upload(third, { headers: carol });
    waiting.push(third);
    await create("without content");
    for (const action of ["PublishVideo", "TakeDownVideo"] as const) await administer(await createWithContent(action), action);
    const first = await listWaiting({ limit: 2, after: "" });
    const second = await listWaiting({ limit: 2, after: first.next });
    expect([...first.videos, ...second.videos].map(({ id }) => id)).toEqual(waiting);
    expect(second).toMatchObject({
      next: "",
      videos: [{ owner: "carol", ownerName: "Carol", status: "STATUS_DRAFT", content: { sizeBytes: MP4.length } }],
    });
    await administer(waiting[0] ?? "", "PublishVideo");
    expect((await listWaiting({ limit: 0, after: "" })).videos.map(({ id }) => id)).toEqual(waiting.slice(1));
  });

  test("shows the list to nobody else, and takes no page that is none", async () => {
    await createWithContent();
    await expect(listWaiting({ limit: 0, after: "" }, alice)).rejects.toMatchObject({ status: 403 });
    await expect(listWaiting({ limit: 0, after: "" }, {} as typeof alice)).rejects.toMatchObject({ status: 401 });
    for (const wrong of [{ limit: 41 }, { limit: -1 }, { after: "x" }]) {
      await expect(listWaiting({ limit: 0, after: "", ...wrong })).rejects.toMatchObject({ status: 400 });
    }
  });

  test.each(["PublishVideo", "TakeDownVideo"] as const)("%s knows no video that is not there, and no id that is none", async (action) => {
    await expect(administer("00000000-0000-4000-8000-000000000000", action)).rejects.toMatchObject({ status: 404 });
    await expect(administer("1' OR '1'='1", action)).rejects.toMatchObject({ status: 400 });
  });

  test("publishes nothing that has no content, and nothing that can't be told of", async () => {
    const { id } = await create("One");
    await expect(administer(id, "PublishVideo")).rejects.toMatchObject({ status: 409 });
    const unlucky = await createWithContent("Unlucky");
    await expect(administer(unlucky, "PublishVideo")).rejects.toThrow("can't be put down");
    expect((await list(carol)).videos).toEqual([]);
  });
});

test("the answer names the version, so that a canary's share can be seen", async () => {
  expect((await build().inject({ url: "/health/live" })).headers["x-service-version"]).toBe("v2");
});

test("has every operation that the API promises of it", async () => {
  const server = build();
  await server.ready();
  const missing = readApiDocument()
    .operationsOf("videos")
    .filter(({ method, url }) => !server.hasRoute({ method: String(method), url }));
  expect(missing.map(({ method, url }) => `${String(method)} ${url}`)).toEqual([]);
});
