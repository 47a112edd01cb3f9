import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kumiko } from "./harness/mesh.ts";
import { copyPlatform, type Platform } from "./harness/platform.ts";
import { waitFor } from "./harness/wait.ts";

const USERS = "https://user.example.com/api/v1/users";
const VIDEOS = "https://video.example.com/api/v1/videos";
/** Looks like the beginning of an MP4, and is text, so that what comes back is compared as text. */
const MOVIE = `\0\0\0\u0018ftypisom${"kumiko".repeat(60_000)}`;

let platform: Platform;
let alice: string;
let bob: string;
/** Neither the owner nor a moderator. */
let carol: string;

beforeAll(async () => {
  platform = await copyPlatform();
  await platform.start();
  [alice, bob, carol] = await Promise.all([platform.token("alice"), platform.token("bob"), platform.token("carol")]);
});

afterAll(async () => {
  await platform?.stop();
  platform?.remove();
});

const create = async (token: string) => {
  const answer = await platform.api(VIDEOS, { token, json: { title: "Asanoha" } });
  expect(answer.status, answer.body).toBe(201);
  return (JSON.parse(answer.body) as { id: string }).id;
};
const upload = (id: string, token: string, body: string, type = "video/mp4") =>
  platform.api(`${VIDEOS}/${id}/content`, { method: "PUT", token, body, headers: { "content-type": type } });
const publish = (id: string, token: string, headers = {}) =>
  platform.api(`${USERS}/moderation/videos/${id}/publish`, { method: "POST", token, headers });

describe("somebody new", () => {
  test("registers with the provider, signs up, is found by name, and changes it", async () => {
    const dave = await platform.register("dave", "Dave Doi");
    const signedUp = await platform.api(USERS, { token: dave, json: { displayName: "Dave 土井" } });
    expect([signedUp.status, JSON.parse(signedUp.body)]).toEqual([
      201,
      expect.objectContaining({ subject: "dave", email: "dave@example.com", role: "user" }),
    ]);
    const { id } = JSON.parse(signedUp.body) as { id: string };
    const search = async (q: string) =>
      JSON.parse((await platform.api(`${USERS}?q=${encodeURIComponent(q)}`, { token: alice })).body) as unknown;
    expect(await search("土井")).toEqual({ users: [{ id, displayName: "Dave 土井" }], next: null });
    expect(await search("%")).toEqual({ users: [], next: null });
    const changed = await platform.api(`${USERS}/me`, { method: "PATCH", token: dave, json: { displayName: "David" } });
    expect(changed.status, changed.body).toBe(200);
    expect(await search("DAVID")).toEqual({ users: [{ id, displayName: "David" }], next: null });
  });

  test("signs in again with the password, and not with another", async () => {
    expect((await platform.token("dave")).split(".")).toHaveLength(3);
    await expect(platform.token("erin")).rejects.toThrow("user name or password is wrong");
    await expect(platform.register("dave", "Dave Doi")).rejects.toThrow("is taken");
  });
});

describe("a video's way from upload to stream", () => {
  let id: string;
  const stream = (token: string, headers: Readonly<Record<string, string>> = {}, method = "GET") =>
    platform.api(`${VIDEOS}/${id}/content`, { token, headers, method });

  test("what is uploaded through the gateway streams back, to its owner until it is published", async () => {
    id = await create(alice);
    expect(await publish(id, bob)).toMatchObject({ status: 409 });
    const answer = await upload(id, alice, MOVIE);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      200,
      expect.objectContaining({ content: expect.objectContaining({ mediaType: "video/mp4", sizeBytes: MOVIE.length }) as unknown }),
    ]);
    expect((await stream(alice)).body === MOVIE).toBe(true);
    expect(await stream(carol)).toMatchObject({ status: 404 });
    expect(await publish(id, alice)).toMatchObject({ status: 403 });
    expect(await publish(id, bob)).toMatchObject({ status: 200 });
    expect((await stream(bob)).body === MOVIE).toBe(true);
    expect(await upload(id, alice, MOVIE)).toMatchObject({ status: 409 });
  });

  test("a range, a condition, HEAD", async () => {
    const part = await stream(bob, { range: "bytes=262140-262147" });
    expect([part.status, part.headers["content-range"], part.body]).toEqual([
      206,
      `bytes 262140-262147/${MOVIE.length}`,
      MOVIE.slice(262_140, 262_148),
    ]);
    expect(await stream(bob, { range: `bytes=${MOVIE.length}-` })).toMatchObject({ status: 416 });
    expect(await stream(bob, { "if-none-match": String(part.headers["etag"]) })).toMatchObject({ status: 304, body: "" });
    const head = await stream(bob, {}, "HEAD");
    expect([head.status, head.headers["content-length"], head.body]).toEqual([200, String(MOVIE.length), ""]);
  });

  test("no token: 403 for both; too much, another type, somebody else's: refused by the service", async () => {
    const draft = await create(alice);
    expect(await platform.api(`${VIDEOS}/${id}/content`)).toMatchObject({ status: 403, body: "RBAC: access denied" });
    expect(await platform.api(`${VIDEOS}/${id}/content`, { method: "PUT", body: "x" })).toMatchObject({ status: 403 });
    expect(await upload(draft, alice, "<html>")).toMatchObject({ status: 415 });
    expect(await upload(draft, alice, "{}", "application/json")).toMatchObject({ status: 415 });
    expect(await upload(draft, carol, MOVIE)).toMatchObject({ status: 404 });
    const tooLong = { method: "PUT", token: alice, headers: { "content-type": "video/mp4", "content-length": String(17 * 1024 ** 2) } };
    expect(await platform.api(`${VIDEOS}/${draft}/content`, { ...tooLong, body: "x" })).toMatchObject({ status: 413 });
  });
});

describe("who is not meant to call video-service", () => {
  const ADMIN = "http://video-service.platform:9090/platform.video.v1.VideoAdmin/PublishVideo";

  test.each([
    { title: "the admin API, with an admin's token", url: ADMIN, method: "POST" },
    { title: "the list", url: "http://video-service.platform:8080/api/v1/videos", method: "GET" },
    { title: "its metrics", url: "http://video-service.platform:8080/metrics", method: "GET" },
  ])("chat-service's identity is refused at $title", async ({ url, method }) => {
    expect(await platform.callFrom("chat-twin", url, { method, token: bob })).toMatchObject({ status: 403, body: "RBAC: access denied" });
  });
});

test("A/B: the header chooses v2; without it, or with another, all go to v1", async () => {
  const versionFor = async (headers: Readonly<Record<string, string>>) => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => platform.api(VIDEOS, { token: alice, headers })));
    return new Set(answers.map((answer) => answer.headers["x-service-version"]));
  };
  expect(await versionFor({ "x-video-version": "v2" })).toEqual(new Set(["v2"]));
  expect(await versionFor({})).toEqual(new Set(["v1"]));
  expect(await versionFor({ "x-video-version": "v9" })).toEqual(new Set(["v1"]));
});

test("the API's description is served through the gateway, to who is signed in", async () => {
  const answer = await platform.api("https://user.example.com/openapi.yaml", { token: alice });
  expect(answer.body).toMatch(/^openapi: 3\.1\.0/);
  expect(await platform.api("https://user.example.com/openapi.yaml")).toMatchObject({ status: 403 });
});

test("one trace id is in the logs of both services that a request passed, and the token in none", async () => {
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const id = await create(alice);
  await upload(id, alice, MOVIE);
  expect(await publish(id, bob, { traceparent: `00-${trace}-00f067aa0ba902b7-01` })).toMatchObject({ status: 200 });
  const lines = () =>
    platform
      .mesh()
      .logs()
      .split("\n")
      .filter((line) => line.includes(`"traceId":"${trace}"`));
  for (const service of ["user-service", "video-service"]) {
    await waitFor(`${service} logs it`, () => lines().some((line) => line.includes(`"service":"${service}"`)));
  }
  expect(platform.mesh().logs()).not.toContain(bob.split(".")[2]);
});

test("the platform's own MeshTests pass, and reach most routes, rules and filter chains", async () => {
  const repository = fileURLToPath(new URL("../..", import.meta.url));
  const { code, stdout, stderr } = await kumiko(["test", "platform", "--coverage-min", "80"], repository, {});
  expect(code, `${stdout}${stderr}`).toBe(0);
});
