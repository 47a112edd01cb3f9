import { expect, test } from "vitest";
import { checkAcknowledged, LOBBY } from "./check.ts";
import type { Answer, Call, Gateway } from "./gateway.ts";
import { sha256Of } from "./movie.ts";

/** A platform that has these messages by room, newest last, these contents and these names. */
function platformWith(texts: Readonly<Record<string, readonly string[]>>, contents: Readonly<Record<string, string>> = {}): Gateway {
  const call = async ({ path, token }: Call): Promise<Answer> => {
    const room = /rooms\/([^/]+)\/messages/.exec(path)?.[1];
    const video = /videos\/([^/]+)\/content/.exec(path)?.[1];
    if (room !== undefined) {
      const messages = (texts[room] ?? []).map((text, index) => ({ seq: index + 1, text })).toReversed();
      return answer(JSON.stringify({ messages, next: null }));
    }
    if (video !== undefined) return answer(contents[video] ?? "");
    return answer(JSON.stringify({ id: "1", subject: token, displayName: token }));
  };
  return { call, close: () => {}, connect: () => expect.unreachable() };
}

const answer = (body: string): Answer => ({ status: 200, headers: {}, body: Buffer.from(body) });
const nothing = { messages: [], uploads: [], published: [], signUps: [] };
const options = (gateway: Gateway) => ({ gateway, token: "t", before: new Map([["r", 1]]), mark: "7-", patienceMs: 0 });

test.each([
  { title: "all there, once", there: ["old", "a 7-1", "b 7-2"], wrong: [] },
  { title: "one is missing", there: ["old", "a 7-1"], wrong: ['message "b 7-2": 0 times'] },
  { title: "one is there twice", there: ["old", "a 7-1", "b 7-2", "b 7-2"], wrong: ['message "b 7-2": 2 times'] },
  { title: "one from before the run does not count", there: ["b 7-2", "a 7-1"], wrong: ['message "b 7-2": 0 times'] },
  { title: "one that was not acknowledged may be there, but not twice", there: ["", "a 7-1", "b 7-2", "c 7-3"], wrong: [] },
  { title: "such a one twice", there: ["", "a 7-1", "b 7-2", "c 7-3", "c 7-3"], wrong: ['message "c 7-3": 2 times'] },
  { title: "others say what they like", there: ["", "a 7-1", "hello", "hello", "b 7-2"], wrong: [] },
])("messages: $title", async ({ there, wrong }) => {
  const given = { ...nothing, messages: ["a 7-1", "b 7-2"].map((text) => ({ room: "r", text })) };
  expect(await checkAcknowledged(given, options(platformWith({ r: there })))).toMatchObject({ messages: 2, wrong });
});

test("an upload has the bytes that were sent", async () => {
  const uploads = ["good", "bad"].map((id) => ({ id, token: "t", sha256: sha256Of(Buffer.from("good")) }));
  const { wrong } = await checkAcknowledged({ ...nothing, uploads }, options(platformWith({}, { good: "good", bad: "other" })));
  expect(wrong).toEqual(["upload bad: other bytes"]);
});

test("a sign-up has its profile, and the lobby was told of it and of what was published, once", async () => {
  const given = {
    ...nothing,
    signUps: ["Visitor 7-1", "Visitor 7-2"].map((displayName) => ({ displayName, token: displayName })),
    published: ["Load test (7-3)"],
  };
  const told = (...lines: string[]) => options(platformWith({ [LOBBY]: lines }));
  const one = "Visitor 7-1 has joined the platform.";
  const two = "Visitor 7-2 has joined the platform.";
  const video = "New video: Load test (7-3)";
  expect(await checkAcknowledged(given, told(one, video, two))).toMatchObject({ signUps: 2, events: 3, wrong: [] });
  expect((await checkAcknowledged(given, told(one, one, two))).wrong).toEqual([`event "${one}": 2 times`, `event "${video}": 0 times`]);
});
