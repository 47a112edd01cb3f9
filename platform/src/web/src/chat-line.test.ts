import { describe, expect, test } from "vitest";
import type { Message } from "./page/api.ts";
import { ChatLine, type Socket } from "./page/chat-line.ts";

const ROOM = "0199f2a4-6c1e-7d55-9b3e-0d6a4f3b2c1d";
const message = (seq: number): Message => ({
  roomId: ROOM,
  seq,
  id: `id-${seq}`,
  kind: "user",
  author: "bob",
  authorName: "Bob",
  text: `number ${seq}`,
  createdAt: "2026-01-01T00:00:00Z",
});

class FakeSocket implements Socket {
  readonly sent: Record<string, unknown>[] = [];
  isClosed = false;
  onopen: (() => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onclose: ((event: { readonly code: number }) => void) | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(): void {
    this.isClosed = true;
    this.onclose?.({ code: 1000 });
  }
  get(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  subscribed(): void {
    this.onopen?.();
    this.get({ type: "subscribed", roomId: ROOM, lastSeq: 0, online: [{ subject: "bob", displayName: "Bob" }] });
  }
}

function start(lastSeq = 0) {
  const sockets: FakeSocket[] = [];
  const waits: { readonly run: () => void; readonly delayMs: number }[] = [];
  const seen = {
    states: [] as string[],
    texts: [] as string[],
    waiting: [] as readonly string[],
    problems: [] as string[],
    online: [] as string[],
  };
  const line = new ChatLine({
    roomId: ROOM,
    lastSeq,
    open: () => sockets[sockets.push(new FakeSocket()) - 1] as FakeSocket,
    wait: (run, delayMs) => void waits.push({ run, delayMs }),
    onState: (state) => seen.states.push(state),
    onMessage: ({ text }) => seen.texts.push(text),
    onPresence: (people) => (seen.online = people.map(({ displayName }) => displayName)),
    onWaiting: (texts) => (seen.waiting = texts),
    onProblem: (reason) => seen.problems.push(reason),
  });
  const last = () => sockets.at(-1) as FakeSocket;
  const reconnect = () => {
    waits.pop()?.run();
    last().subscribed();
  };
  return { line, sockets, waits, seen, last, reconnect };
}

describe("the page's line to the chat", () => {
  test("follows the room behind the newest message that it has", () => {
    const { last, seen } = start(7);
    last().subscribed();
    expect(last().sent).toEqual([{ type: "subscribe", roomId: ROOM, after: 7 }]);
    last().get({ type: "message", message: message(8) });
    expect(seen).toMatchObject({ states: ["connecting", "connected"], texts: ["number 8"], online: ["Bob"] });
  });

  test("shows each message once, also when it comes again after the line broke", () => {
    const { last, seen, reconnect } = start();
    last().subscribed();
    for (const seq of [1, 2]) last().get({ type: "message", message: message(seq) });
    last().onclose?.({ code: 1006 });
    reconnect();
    expect(last().sent[0]).toMatchObject({ type: "subscribe", after: 2 });
    for (const seq of [2, 3]) last().get({ type: "message", message: message(seq) });
    expect(seen.texts).toEqual(["number 1", "number 2", "number 3"]);
  });

  test("says again, with the same client id, what had no answer when the line broke", () => {
    const { line, last, seen, reconnect } = start();
    last().subscribed();
    line.say("stored");
    line.say("lost");
    const [stored, lost] = last().sent.slice(1);
    last().get({ type: "posted", clientId: stored?.["clientId"], message: message(1) });
    expect(seen.waiting).toEqual(["lost"]);
    last().onclose?.({ code: 1006 });
    line.say("said meanwhile");
    reconnect();
    expect(last().sent.slice(1)).toEqual([lost, expect.objectContaining({ text: "said meanwhile" })]);
  });

  test("waits longer each time, a bounded while, and from the beginning once it was there", () => {
    const { last, waits, reconnect } = start();
    const delays: number[] = [];
    for (let i = 0; i < 12; i++) {
      last().onclose?.({ code: 1006 });
      const { run, delayMs = 0 } = waits.pop() ?? {};
      delays.push(delayMs);
      run?.();
    }
    expect(delays[0]).toBeLessThanOrEqual(250);
    expect(delays[5]).toBeGreaterThan(2_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(10_000);
    last().onclose?.({ code: 1006 });
    reconnect();
    last().onclose?.({ code: 1006 });
    expect(waits.at(-1)?.delayMs).toBeLessThanOrEqual(250);
  });

  test("comes back at once when the replica stops", () => {
    const { last, waits } = start();
    last().subscribed();
    last().onclose?.({ code: 1001 });
    expect(waits.at(-1)?.delayMs).toBe(0);
  });

  test("ends with its token", () => {
    const { last, waits, seen } = start();
    last().subscribed();
    last().onclose?.({ code: 4401 });
    expect([waits.length, seen.states.at(-1)]).toEqual([0, "ended"]);
  });

  test("stays closed once it was left", () => {
    const { line, last, waits, seen } = start();
    last().subscribed();
    line.close();
    expect([last().isClosed, waits.length, seen.states]).toEqual([true, 0, ["connecting", "connected"]]);
  });

  test("says what was refused, and does not say it again", () => {
    const { line, last, seen } = start();
    last().subscribed();
    line.say("too fast");
    last().get({ type: "problem", status: 429, title: "Too many requests", clientId: last().sent[1]?.["clientId"] });
    expect(seen).toMatchObject({ problems: ["Too many requests"], waiting: [] });
  });

  test("says how far it has been read, only while it is connected", () => {
    const { line, last } = start(4);
    line.read();
    last().subscribed();
    line.read();
    expect(last().sent.slice(1)).toEqual([{ type: "read", roomId: ROOM, seq: 4 }]);
  });
});
