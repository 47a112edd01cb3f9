import { mkdtempSync, rmSync, statSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { resourcesOf } from "../testing/mesh.ts";
import { until } from "../testing/until.ts";
import { type FeedServer, followFeed, serveFeed } from "./resource-feed.ts";
import { WorldKeeper } from "./world.ts";

let folder: string;
let keeper: WorldKeeper;
let server: FeedServer;
const closers: (() => unknown)[] = [];

const secret = (name: string) => `
apiVersion: v1
kind: Secret
metadata: { name: ${name}, namespace: shop }
data: { password: aHVudGVyMg== }
---
`;
const declare = (text: string) =>
  keeper.set("folder", {
    held: resourcesOf(text).map((resource) => ({ resource, revision: resource.hash, holder: "folder" })),
    diagnostics: [],
  });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-feed-"));
  keeper = new WorldKeeper({});
  declare(secret("a"));
  server = await serveFeed(join(folder, "feed.sock"), () => keeper.world);
});

afterEach(async () => {
  for (const close of closers.splice(0)) close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function follow(kinds: readonly string[]): string[] {
  const seen: string[] = [];
  closers.push(
    followFeed(join(folder, "feed.sock"), kinds, (resources) => seen.push(resources.map(({ metadata }) => metadata.name).join())),
  );
  return seen;
}

test("a follower gets all at once, and again after each change of what it follows", async () => {
  const seen = follow(["Secret"]);
  await until("the first", () => seen.length === 1);
  declare(secret("a") + secret("b"));
  server.changed();
  await until("the second", () => seen.length === 2);
  expect(seen).toEqual(["a", "a,b"]);
});

test("a change of another kind is not told", async () => {
  const seen = follow(["Secret"]);
  await until("the first", () => seen.length === 1);
  declare(`${secret("a")}\napiVersion: v1\nkind: Namespace\nmetadata: { name: shop }`);
  server.changed();
  declare(secret("c"));
  server.changed();
  await until("what it follows", () => seen.includes("c"));
  expect(seen).toEqual(["a", "c"]);
});

test("a follower goes on when the server has been away", async () => {
  const seen = follow(["Secret"]);
  await until("the first", () => seen.length === 1);
  await server.close();
  declare(secret("z"));
  server = await serveFeed(join(folder, "feed.sock"), () => keeper.world);
  await until("the new one", () => seen.length === 2);
  expect(seen).toEqual(["a", "z"]);
});

test("the socket is for its owner only: secrets pass through it", () => {
  expect(statSync(join(folder, "feed.sock")).mode & 0o777).toBe(0o600);
});

test.each(["//", "/?kinds=%zz", "http://[", "*"])("a request for %s, which is no address, is answered like any other", async (path) => {
  const status = await new Promise((resolve, reject) => {
    request({ socketPath: join(folder, "feed.sock"), path }, (answer) => resolve(answer.resume().statusCode))
      .once("error", reject)
      .end();
  });
  expect(status).toBe(200);
});
