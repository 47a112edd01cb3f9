import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  checkAcknowledged,
  createSignIns,
  type Gateway,
  LOBBY,
  markOf,
  MESSAGES_PER_ROOM,
  type LoadResult,
  newestOf,
  openGateway,
  runLoad,
  seed,
  type Shares,
  type SignIns,
  usualShares,
  type World,
} from "@platform/demo";
import { placesOf } from "@platform/setup";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyPlatform, type Platform } from "./harness/platform.ts";
import { killProgram, type ProgramName, untilReady } from "./harness/platform-programs.ts";
import { waitFor } from "./harness/wait.ts";

const USERS = "https://user.example.com/api/v1/users";
const VIDEOS = "https://video.example.com/api/v1/videos";
const CHAT = "https://chat.example.com/api/v1/chat";

let platform: Platform;
let gateway: Gateway;
let signIns: SignIns;
let world: World;
let alice: string;
let bob: string;

beforeAll(async () => {
  platform = await copyPlatform({ withTestWorkloads: false });
  await platform.start();
  const places = placesOf({ PLATFORM_STATE: join(platform.dir, ".kumiko/platform") });
  gateway = openGateway({ port: platform.port, ca: readFileSync(places.caCertificate, "utf8") });
  signIns = createSignIns(places, Number(platform.env["PLATFORM_IDENTITY_PORT"]));
  world = await seed(gateway, signIns);
  [alice, bob] = await Promise.all([platform.token("alice"), platform.token("bob")]);
});

afterAll(async () => {
  gateway?.close();
  await platform?.stop();
  platform?.remove();
});

const reader = () => world.members[0]?.token ?? "";

interface Load {
  /** Resolves when so many more requests have been answered. */
  answered(count: number): Promise<void>;
}

/** Runs traffic through all flows while something is done; what was acknowledged is looked for afterwards. */
async function underLoad(
  settings: { seed: number; shares?: Shares },
  work: (load: Load) => Promise<void>,
): Promise<{ result: LoadResult; wrong: readonly string[] }> {
  const before = await newestOf([LOBBY, ...world.rooms], { gateway, token: reader() });
  const stop = new AbortController();
  let count = 0;
  const counting: Gateway = { ...gateway, call: (call) => gateway.call(call).finally(() => void count++) };
  const load = runLoad({ rate: 30, seconds: 120, ...settings }, { gateway: counting, signIns, world, signal: stop.signal });
  try {
    await work({
      async answered(more) {
        const enough = count + more;
        await waitFor(`${more} more requests are answered`, () => count >= enough);
      },
    });
  } finally {
    stop.abort();
    await load;
  }
  const result = await load;
  const options = { gateway, token: reader(), before, mark: markOf(settings.seed), patienceMs: 30_000 };
  const { wrong } = await checkAcknowledged(result.acknowledged, options);
  return { result, wrong };
}

const requestsOf = (result: LoadResult, flow: string) => result.flows.find((one) => one.flow === flow)?.requests ?? 0;

/** Of several answers, those of the next version. */
async function answersOfV2(): Promise<number> {
  const answers = await Promise.all(Array.from({ length: 10 }, () => platform.api(VIDEOS, { token: alice })));
  return answers.filter(({ headers }) => headers["x-service-version"] === "v2").length;
}

function setCanary(weight: number): void {
  platform.mesh().edit("infra/k8s/istio/routes.yaml", (text) => {
    const weights = [100 - weight, weight];
    let index = 0;
    return text.replaceAll(/weight: \d+/g, () => `weight: ${weights[index++ % 2]}`);
  });
}

test("the demo data is brought in once: a second time it is found", async () => {
  const again = await seed(gateway, signIns);
  const withoutTokens = ({ members, videos, rooms }: World) => ({ videos, rooms, members: members.map(({ id, user }) => ({ id, user })) });
  expect(withoutTokens(again)).toEqual(withoutTokens(world));
  const newest = await newestOf(world.rooms, { gateway, token: reader() });
  expect([...newest.values()]).toEqual(world.rooms.map(() => MESSAGES_PER_ROOM));
});

describe("under load through all flows", () => {
  test("a canary goes from 0 to 100 %, somebody signs up, a moderator publishes; nothing fails, and nothing is lost", async () => {
    const { result, wrong } = await underLoad({ seed: 1 }, async (load) => {
      await load.answered(20);
      expect(await answersOfV2()).toBe(0);
      setCanary(30);
      await waitFor("v2 answers some", async () => (await answersOfV2()) > 0);
      await load.answered(30);
      await signUp();
      await publishAsModerator();
      setCanary(100);
      await waitFor("v2 answers all", async () => (await answersOfV2()) === 10);
      await load.answered(60);
    });
    expect(result.failures).toEqual([]);
    expect(wrong).toEqual([]);
    for (const flow of ["list videos", "stream a range", "history", "own profile"]) expect(requestsOf(result, flow)).toBeGreaterThan(5);
  });

  /** S1-11, flow 3.1: account, profile, and what the other services learn of it. */
  async function signUp(): Promise<void> {
    const token = await platform.register("newcomer", "Newcomer");
    const answer = await platform.api(USERS, { token, json: { displayName: "Newcomer" } });
    expect(answer.status, answer.body).toBe(201);
    expect((await platform.api(`${USERS}/me`, { token })).body).toContain('"subject":"newcomer"');
    await waitFor("chat knows of it", async () =>
      (await platform.api(`${CHAT}/rooms/${LOBBY}/messages?limit=100`, { token })).body.includes("Newcomer has joined the platform."),
    );
  }

  /** S1-11, flow 3.2: user-service calls video-service, for an admin and for nobody else. */
  async function publishAsModerator(): Promise<void> {
    const created = await platform.api(VIDEOS, { token: alice, json: { title: "Under load" } });
    const { id } = JSON.parse(created.body) as { id: string };
    const headers = { "content-type": "video/mp4" };
    const content = { method: "PUT", token: alice, headers, body: "\0\0\0\u0018ftypisom" };
    expect((await platform.api(`${VIDEOS}/${id}/content`, content)).status).toBe(200);
    const publish = (token: string) => platform.api(`${USERS}/moderation/videos/${id}/publish`, { method: "POST", token });
    expect((await publish(alice)).status).toBe(403);
    expect((await publish(bob)).status).toBe(200);
  }
});

describe("killed under load", () => {
  /** One request that needs the part, and what lies behind it. */
  const answersOf: Readonly<Record<string, () => Promise<number>>> = {
    "user-service": async () => (await platform.api(`${USERS}?limit=1`, { token: reader() })).status,
    "video-service": async () => (await platform.api(`${VIDEOS}?limit=1`, { token: reader() })).status,
    "chat-service": async () => (await platform.api(`${CHAT}/rooms?limit=1`, { token: reader() })).status,
  };
  const works = async (names: readonly string[]) =>
    (await Promise.all(names.map((name) => answersOf[name]?.()))).every((status) => status === 200);

  const manyWrites: Shares = { ...usualShares, message: 150, "message over WebSocket": 150, upload: 100, "sign up": 50 };

  async function kill(name: ProgramName): Promise<void> {
    await killProgram(platform, name);
    if (name === "broker" || name === "database") await untilReady(platform, name);
    await waitFor(`all works again after ${name} was killed`, () => works(Object.keys(answersOf)), { timeoutMs: 40_000 });
  }

  test("each service, the broker, the database: what fails says so, and what was acknowledged is there, once", async () => {
    const { result, wrong } = await underLoad({ seed: 2, shares: manyWrites }, async (load) => {
      for (const name of ["user-service", "video-service", "chat-service", "broker", "database"] as const) {
        await load.answered(20);
        await kill(name);
      }
      await load.answered(20);
    });
    expect(result.failures.filter(({ isClear }) => !isClear)).toEqual([]);
    expect(wrong).toEqual([]);
    expect(result.acknowledged.messages.length).toBeGreaterThan(0);
  });
});
