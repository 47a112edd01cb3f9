import type { Acknowledged } from "./acknowledged.ts";
import { ask, askFor, MessagePage, pagesOf, Profile } from "./api.ts";
import type { Gateway } from "./gateway.ts";
import { inParallel } from "./in-parallel.ts";
import { sha256Of } from "./movie.ts";

/** What was looked for after a run, and what is wrong with it. */
export interface Checked {
  readonly messages: number;
  readonly uploads: number;
  readonly signUps: number;
  /** Events whose effect is looked for in the lobby: sign-ups and published videos. */
  readonly events: number;
  readonly wrong: readonly string[];
}

export interface CheckOptions {
  readonly gateway: Gateway;
  /** Of somebody who may read all rooms. */
  readonly token: string;
  /** How far back each room is read: the newest message's number before the run. */
  readonly before: ReadonlyMap<string, number>;
  /** What is in every text of the run and in no other: of those none may be there twice, acknowledged or not. */
  readonly mark: string;
  /** How long events may take to arrive. */
  readonly patienceMs: number;
}

/** Made by the platform itself; who signs up and what is published is told there. */
export const LOBBY = "00000000-0000-4000-8000-000000000001";

/** Reads again what was acknowledged: each message once, each upload's bytes, each profile, each event's effect once. */
export async function checkAcknowledged(given: Acknowledged, options: CheckOptions): Promise<Checked> {
  const wrong: string[] = [];
  const { gateway } = options;
  for (const [room, texts] of Map.groupBy(given.messages, ({ room }) => room)) {
    const said = await textsOf(room, options);
    const expected = texts.map(({ text }) => text);
    wrong.push(...notOnce(expected, said, options.mark).map((text) => `message ${text}`));
  }
  await inParallel(4, given.uploads, async ({ id, token, sha256 }) => {
    const { body } = await ask(gateway, { host: "video.example.com", path: `/api/v1/videos/${id}/content`, token }, 200);
    if (sha256Of(body) !== sha256) wrong.push(`upload ${id}: other bytes`);
  });
  await inParallel(4, given.signUps, async ({ displayName, token }) => {
    const profile = await askFor(Profile, gateway, { host: "user.example.com", path: "/api/v1/users/me", token });
    if (profile.displayName !== displayName) wrong.push(`sign-up of ${displayName}: ${profile.displayName}`);
  });
  const told = [
    ...given.signUps.map(({ displayName }) => `${displayName} has joined the platform.`),
    ...given.published.map((title) => `New video: ${title}`),
  ];
  wrong.push(...(await eventsNotOnce(told, options)).map((text) => `event ${text}`));
  const { messages, uploads, signUps } = given;
  return { messages: messages.length, uploads: uploads.length, signUps: signUps.length, events: told.length, wrong };
}

/** Events take a moment: looks until all are there, or patience ends. */
async function eventsNotOnce(told: readonly string[], options: CheckOptions): Promise<readonly string[]> {
  const deadline = performance.now() + options.patienceMs;
  for (;;) {
    const wrong = told.length === 0 ? [] : notOnce(told, await textsOf(LOBBY, options), options.mark);
    if (wrong.length === 0 || performance.now() > deadline) return wrong;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

function notOnce(expected: readonly string[], there: readonly string[], mark: string): readonly string[] {
  const counts = new Map<string, number>(expected.map((text) => [text, 0]));
  for (const text of there) if (text.includes(mark)) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].filter(([, count]) => count !== 1).map(([text, count]) => `"${text}": ${count} times`);
}

async function textsOf(room: string, { gateway, token, before }: CheckOptions): Promise<readonly string[]> {
  const texts: string[] = [];
  const end = before.get(room) ?? 0;
  const call = { host: "chat.example.com", path: `/api/v1/chat/rooms/${room}/messages`, token } as const;
  for await (const { messages } of pagesOf(gateway, MessagePage, call)) {
    texts.push(...messages.filter(({ seq }) => seq > end).map(({ text }) => text));
    if ((messages.at(-1)?.seq ?? 0) <= end + 1) break;
  }
  return texts;
}

/** The number of each room's newest message now. */
export async function newestOf(
  rooms: readonly string[],
  { gateway, token }: Pick<CheckOptions, "gateway" | "token">,
): Promise<Map<string, number>> {
  const entries = await inParallel(4, rooms, async (room): Promise<[string, number]> => {
    const call = { host: "chat.example.com", path: `/api/v1/chat/rooms/${room}/messages?limit=1`, token } as const;
    const { messages } = await askFor(MessagePage, gateway, call);
    return [room, messages[0]?.seq ?? 0];
  });
  return new Map(entries);
}
