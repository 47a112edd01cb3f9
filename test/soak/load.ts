import { Agent, request } from "node:http";

export interface Tally {
  readonly sent: number;
  /** By status, or by the error's code. */
  readonly answers: Readonly<Record<string, number>>;
  /** The longest time, in milliseconds, from an answer that is no 200 to the next that is one. */
  readonly longestOutageMs: number;
}

export interface SteadyLoad {
  sent(): number;
  /** Ends it; resolves when every request has its answer. */
  stop(): Promise<Tally>;
}

/**
 * Requests at a fixed rate, whether the ones before have been answered or not: a closed loop would hide an outage by sending less. Keep-alive
 * and new connections take turns. `port` is on 127.0.0.1; no answer within 15 s counts as `timeout`.
 */
export function startLoad(target: {
  readonly port: number;
  readonly host: string;
  readonly path?: string;
  readonly perSecond: number;
}): SteadyLoad {
  const kept = new Agent({ keepAlive: true, maxSockets: 64 });
  const answers: Record<string, number> = {};
  const open = new Set<Promise<void>>();
  const outage = { since: undefined as number | undefined, longestMs: 0 };
  let sent = 0;
  const note = (answer: string) => {
    answers[answer] = (answers[answer] ?? 0) + 1;
    if (answer !== "200") outage.since ??= performance.now();
    if (outage.since !== undefined) outage.longestMs = Math.max(outage.longestMs, performance.now() - outage.since);
    if (answer === "200") outage.since = undefined;
  };
  const startedAt = performance.now();
  const timer = setInterval(() => {
    const due = ((performance.now() - startedAt) / 1000) * target.perSecond;
    for (; sent < due; sent++) {
      const answered: Promise<void> = ask(target, sent % 4 === 0 ? false : kept)
        .then(note)
        .finally(() => open.delete(answered));
      open.add(answered);
    }
  }, 5);
  return {
    sent: () => sent,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      kept.destroy();
      return { sent, answers, longestOutageMs: Math.round(outage.longestMs) };
    },
  };
}

function ask(target: { readonly port: number; readonly host: string; readonly path?: string }, agent: Agent | false): Promise<string> {
  return new Promise((resolve) => {
    const { port, host, path = "/" } = target;
    const sent = request({ host: "127.0.0.1", port, path, headers: { host }, agent, timeout: 15_000 }, (answer) => {
      answer.resume();
      answer.once("end", () => resolve(String(answer.statusCode)));
      answer.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
    sent.once("timeout", () => sent.destroy(Object.assign(new Error("no answer"), { code: "timeout" })));
    sent.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.end();
  });
}
