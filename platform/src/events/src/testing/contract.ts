import { randomUUID } from "node:crypto";
import { expect, vi } from "vitest";
import type { Broker, Message } from "../broker.ts";
import type { Rig } from "./rig.ts";

/** Generous: two cores may have a lot to do. Nothing waits as long as this when it works. */
const WAIT = { timeout: 40_000, interval: 20 };

/** What every adapter must do, against its real broker. */
export const contract: readonly { readonly title: string; run(world: World): Promise<void> }[] = [
  {
    title: "a message reaches each group, whole",
    async run(world) {
      const message = world.message("room/1 é %", JSON.stringify({ text: "こんにちは 👋", long: "x".repeat(60_000) }));
      const [a, b] = [await world.group(), await world.group()];
      await world.publisher.publish([message]);
      await vi.waitFor(() => expect([a.received, b.received]).toEqual([[message], [message]]), WAIT);
    },
  },
  {
    title: "a group gets its types only",
    async run(world) {
      const group = await world.group();
      const other = { ...world.message("k"), type: `other.t${randomUUID()}` };
      const wanted = world.message("k");
      await world.publisher.publish([other]);
      await world.publisher.publish([wanted]);
      await vi.waitFor(() => expect(group.received).toEqual([wanted]), WAIT);
    },
  },
  {
    title: "a message waits for a group that nobody is there for",
    async run(world) {
      const first = await world.group();
      await first.stop();
      const message = world.message("k");
      await world.publisher.publish([message]);
      const second = await world.group(first.name);
      await vi.waitFor(() => expect(second.received).toEqual([message]), WAIT);
      expect(first.received).toEqual([]);
    },
  },
  {
    title: "messages of one key come in order",
    async run(world) {
      const messages = Array.from({ length: 30 }, (_, i) => world.message(`key-${i % 3}`, String(i)));
      const group = await world.group();
      for (const message of messages) await world.publisher.publish([message]);
      await vi.waitFor(() => expect(group.received).toHaveLength(30), WAIT);
      for (const key of ["key-0", "key-1", "key-2"]) {
        const of = (list: readonly Message[]) => list.filter((one) => one.key === key).map((one) => one.body);
        expect(of(group.received)).toEqual(of(messages));
      }
    },
  },
  {
    title: "members of a group share its messages",
    async run(world) {
      const a = await world.group();
      const b = await world.group(a.name);
      const wave = Array.from({ length: 40 }, (_, i) => `key-${i}`);
      // While a member joins, some may come twice; in the end each comes to one, and both have a part.
      let shares: readonly number[] = [];
      for (let tries = 0; tries < 20 && (shares[0] ?? 0) + (shares[1] ?? 0) !== 40; tries++) {
        const [before, seen] = [[a, b].map(({ received }) => received.length), world.distinct(a, b)];
        await world.publisher.publish(wave.map((key) => world.message(key)));
        await vi.waitFor(() => expect(world.distinct(a, b)).toBe(seen + 40), WAIT);
        const grown = [a, b].map(({ received }, i) => received.length - (before[i] ?? 0));
        shares = grown.includes(0) ? [] : grown;
      }
      expect([shares, (shares[0] ?? 0) + (shares[1] ?? 0)]).toEqual([[expect.any(Number), expect.any(Number)], 40]);
    },
  },
  {
    title: "a message that is refused comes again until it is not",
    async run(world) {
      let refusals = 2;
      const group = await world.group(undefined, async () => {
        if (refusals-- > 0) throw new Error("not now");
      });
      await world.publisher.publish([world.message("k")]);
      await vi.waitFor(() => expect(group.received).toHaveLength(3), WAIT);
      expect(new Set(group.received.map(({ id }) => id)).size).toBe(1);
    },
  },
  {
    title: "a member that stops lets its handlers end, and leaves the rest to the others",
    async run(world) {
      const gate = Promise.withResolvers<void>();
      let ended = 0;
      const first = await world.group(undefined, async () => {
        await gate.promise;
        ended++;
      });
      const messages = Array.from({ length: 10 }, () => world.message("one key"));
      for (const message of messages) await world.publisher.publish([message]);
      await vi.waitFor(() => expect(first.received).toHaveLength(1), WAIT);
      const stopped = first.stop();
      gate.resolve();
      await stopped;
      expect(ended).toBe(first.received.length);
      const second = await world.group(first.name);
      await vi.waitFor(() => expect(world.distinct(first, second)).toBe(10), { ...WAIT, timeout: 80_000 });
    },
  },
  {
    title: "listeners hear everything from now on, each of them",
    async run(world) {
      await world.publisher.publish([world.message("k", "before")]);
      const [a, b] = [await world.listen(), await world.listen()];
      const messages = [world.message("k", "1"), world.message("k", "2")];
      for (const message of messages) await world.publisher.publish([message]);
      await vi.waitFor(() => expect([a.received, b.received]).toEqual([messages, messages]), WAIT);
    },
  },
  {
    title: "killed, it takes nothing, says so in time, and forgets nothing that it took",
    async run(world) {
      const { outage } = world;
      // What keeps nothing has nothing to forget.
      if (outage === undefined) return expect(outage).toBeUndefined();
      const group = await world.group();
      const listener = await world.listen();
      const [stored, refused, later] = [world.message("k", "1"), world.message("k", "2"), world.message("k", "3")];
      await world.publisher.publish([stored]);
      await outage.kill();
      await expect(world.publisher.publish([refused])).rejects.toThrow(/./);
      await expect(world.publisher.check()).rejects.toThrow(/./);
      await outage.restart();
      await vi.waitFor(() => world.publisher.publish([later]), WAIT);
      const seen = () => new Set(group.received.map(({ id }) => id));
      await vi.waitFor(() => expect([seen().has(stored.id), seen().has(later.id)]).toEqual([true, true]), { ...WAIT, timeout: 80_000 });
      await vi.waitFor(() => expect(listener.gaps()).toBeGreaterThan(0), WAIT);
      await vi.waitFor(() => world.publisher.check(), WAIT);
    },
  },
];

interface Member {
  readonly name: string;
  readonly received: Message[];
  stop(): Promise<void>;
}

/** One test's messages and subscriptions: a type of its own keeps it apart from the others. */
export class World {
  readonly publisher: Broker;
  readonly #rig: Rig;
  readonly #open: () => Broker;
  readonly #type = `test.t${randomUUID()}`;

  constructor(rig: Rig, open: () => Broker) {
    this.#rig = rig;
    this.#open = open;
    this.publisher = open();
  }

  get outage(): Rig["outage"] {
    return this.#rig.outage;
  }

  message(key: string, body = "{}"): Message {
    return { id: randomUUID(), type: this.#type, key, body };
  }

  distinct(...members: readonly Member[]): number {
    return new Set(members.flatMap(({ received }) => received.map(({ id }) => id))).size;
  }

  async group(name = `group-${randomUUID()}`, handle: () => Promise<void> = async () => undefined): Promise<Member> {
    const received: Message[] = [];
    await this.#rig.provision(name, [this.#type]);
    const subscription = this.#open().subscribe({
      group: name,
      types: [this.#type],
      handle: async (message) => {
        received.push(message);
        await handle();
      },
    });
    await subscription.ready;
    return { name, received, stop: () => subscription.stop() };
  }

  async listen(): Promise<{ readonly received: Message[]; gaps(): number }> {
    const received: Message[] = [];
    let gaps = 0;
    const handle = (message: Message) => void received.push(message);
    const subscription = this.#open().listen({ types: [this.#type], handle, onGap: () => void gaps++ });
    await subscription.ready;
    return { received, gaps: () => gaps };
  }
}
