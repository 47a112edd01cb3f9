import type { Acknowledged } from "./acknowledged.ts";
import { ask, askFor, Video } from "./api.ts";
import { people, remarkOf } from "./catalogue.ts";
import type { ChatLine } from "./chat-line.ts";
import type { Answer, Call, Gateway } from "./gateway.ts";
import type { SignIns } from "./members.ts";
import { MOVIE_TYPE, movieOf, sha256Of } from "./movie.ts";
import type { Kind } from "./plan.ts";
import { type Random, uuidOf } from "./random.ts";
import type { Member, World } from "./seed.ts";

/** Does one request, and counts it under the flow's name. */
export type Measure = <Result>(flow: string, work: () => Promise<Result>) => Promise<Result>;

export interface FlowParts {
  readonly gateway: Gateway;
  readonly signIns: SignIns;
  readonly world: World;
  readonly lines: readonly ChatLine[];
  readonly acknowledged: Acknowledged;
  /** Of messages whose arrival is timed: by text, when they were sent. */
  readonly sentAt: Map<string, number>;
}

export interface Turn {
  readonly random: Random;
  /** Tells this step from all others of all runs. */
  readonly mark: string;
  readonly measure: Measure;
}

type Flow = (parts: FlowParts, turn: Turn) => Promise<unknown>;

const RANGE_BYTES = 32_768;
const PUBLISH_ONE_OF = 3;

/** How each kind of step is done. */
export const flows: Readonly<Record<Kind, Flow>> = {
  "list videos": read("list videos", ({ random }) => ({
    host: "video.example.com",
    path: "/api/v1/videos",
    // Some take part in a test of the next version.
    ...(random.below(20) === 0 && { headers: { "x-video-version": "v2" } }),
  })),
  video: read("video", ({ random }, { videos }) => ({ host: "video.example.com", path: `/api/v1/videos/${random.pick(videos).id}` })),
  "stream a range": streamRange,
  "content unchanged": revalidate,
  "own profile": read("own profile", () => ({ host: "user.example.com", path: "/api/v1/users/me" })),
  user: read("user", ({ random }, { members }) => ({ host: "user.example.com", path: `/api/v1/users/${random.pick(members).id}` })),
  "search users": read("search users", ({ random }) => {
    const { name } = random.pick(people);
    return { host: "user.example.com", path: `/api/v1/users?q=${encodeURIComponent(name.slice(0, 2 + random.below(3)).trim())}` };
  }),
  rooms: read("rooms", () => ({ host: "chat.example.com", path: "/api/v1/chat/rooms" })),
  history: read("history", ({ random }, { rooms }) => ({
    host: "chat.example.com",
    path: `/api/v1/chat/rooms/${random.pick(rooms)}/messages`,
  })),
  unread: read("unread", () => ({ host: "chat.example.com", path: "/api/v1/chat/unread" })),
  presence: read("presence", ({ random }, { rooms }) => ({
    host: "chat.example.com",
    path: `/api/v1/chat/rooms/${random.pick(rooms)}/presence`,
  })),
  page: page,
  "message over WebSocket": sayOverLine,
  message: say,
  "mark read": markRead,
  upload: upload,
  "change profile": changeProfile,
  "sign up": signUp,
};

/** A GET by some member that must be answered with 200. */
function read(flow: string, toCall: (turn: Turn, world: World) => Call): Flow {
  return async ({ gateway, world }, turn) => {
    const call = { ...toCall(turn, world), token: turn.random.pick(world.members).token };
    await turn.measure(flow, () => ask(gateway, call, 200));
  };
}

async function streamRange({ gateway, world }: FlowParts, { random, measure }: Turn): Promise<void> {
  const { id, sizeBytes } = random.pick(world.videos);
  const from = random.below(sizeBytes);
  const headers = { range: `bytes=${from}-${from + RANGE_BYTES - 1}` };
  const expected = Math.min(RANGE_BYTES, sizeBytes - from);
  const call: Call = { host: "video.example.com", path: `/api/v1/videos/${id}/content`, token: random.pick(world.members).token, headers };
  await measure("stream a range", async () => {
    const { body } = await ask(gateway, call, 206);
    if (body.length !== expected) throw new Error(`${body.length} bytes instead of ${expected}`);
  });
}

async function revalidate({ gateway, world }: FlowParts, { random, measure }: Turn): Promise<void> {
  const path = `/api/v1/videos/${random.pick(world.videos).id}/content`;
  const call: Call = { host: "video.example.com", path, token: random.pick(world.members).token, headers: { "if-none-match": "*" } };
  await measure("content unchanged", () => ask(gateway, call, 304));
}

async function page({ gateway }: FlowParts, { random, measure }: Turn): Promise<void> {
  const path = random.pick(["/", "/config.json", "/assets/style.css"]);
  await measure("page", () => ask(gateway, { host: "user.example.com", path }, 200));
}

async function sayOverLine({ lines, world, acknowledged, sentAt }: FlowParts, { random, mark, measure }: Turn): Promise<void> {
  const [room, text] = [random.pick(world.rooms), remarkOf(random.below(1_000), mark)];
  sentAt.set(text, performance.now());
  await measure("message over WebSocket", () => random.pick(lines).post(room, text, uuidOf(mark)));
  acknowledged.messages.push({ room, text });
}

async function say({ gateway, world, acknowledged }: FlowParts, { random, mark, measure }: Turn): Promise<void> {
  const [room, text] = [random.pick(world.rooms), remarkOf(random.below(1_000), mark)];
  const path = `/api/v1/chat/rooms/${room}/messages`;
  const json = { text, clientId: uuidOf(mark) };
  const call: Call = { host: "chat.example.com", path, method: "POST", token: random.pick(world.members).token, json };
  await measure("message", () => ask(gateway, call, 200, 201));
  acknowledged.messages.push({ room, text });
}

async function markRead({ gateway, world }: FlowParts, { random, measure }: Turn): Promise<void> {
  const path = `/api/v1/chat/rooms/${random.pick(world.rooms)}/read`;
  const { token } = random.pick(world.members);
  await measure("mark read", () =>
    ask(gateway, { host: "chat.example.com", path, method: "POST", token, json: { seq: random.below(30) } }, 200),
  );
}

async function upload(parts: FlowParts, { random, mark, measure }: Turn): Promise<void> {
  const { gateway, world, acknowledged } = parts;
  const { token } = random.pick(world.members);
  const videos = { host: "video.example.com", path: "/api/v1/videos", token } as const;
  const title = `Load test (${mark})`;
  const { id } = await measure("create video", () => askFor(Video, gateway, { ...videos, method: "POST", json: { title } }));
  const body = movieOf(mark, 16_384 + random.below(131_072));
  const path = `/api/v1/videos/${id}/content`;
  const headers = { "content-type": MOVIE_TYPE };
  await measure("upload", () => ask(gateway, { ...videos, path, method: "PUT", headers, body }, 200));
  acknowledged.uploads.push({ id, token, sha256: sha256Of(body) });
  if (random.below(PUBLISH_ONE_OF) > 0) return;
  await measure("publish", () => publish(parts, id));
  acknowledged.published.push(title);
}

/** user-service asks video-service, for a moderator. */
function publish({ gateway, world }: FlowParts, id: string): Promise<Answer> {
  const path = `/api/v1/users/moderation/videos/${id}/publish`;
  return ask(gateway, { host: "user.example.com", path, method: "POST", token: world.moderator }, 200);
}

/** To the name that is there: the demo data stays as it is. */
async function changeProfile({ gateway, world }: FlowParts, { random, measure }: Turn): Promise<void> {
  const { token, displayName }: Member = random.pick(world.members);
  const call: Call = { host: "user.example.com", path: "/api/v1/users/me", method: "PATCH", token, json: { displayName } };
  await measure("change profile", () => ask(gateway, call, 200));
}

async function signUp({ gateway, signIns, acknowledged }: FlowParts, { mark, measure }: Turn): Promise<void> {
  const displayName = `Visitor ${mark}`;
  const token = await measure("register (provider)", () => signIns.member(`load-${mark}`, displayName));
  const call: Call = { host: "user.example.com", path: "/api/v1/users", method: "POST", token, json: { displayName } };
  await measure("sign up", () => ask(gateway, call, 200, 201));
  acknowledged.signUps.push({ displayName, token });
}
