import { type Acknowledged, createAcknowledged } from "./acknowledged.ts";
import { UnexpectedAnswer } from "./api.ts";
import { ChatLine, LineError } from "./chat-line.ts";
import { type FlowParts, flows, type Measure } from "./flows.ts";
import type { Gateway } from "./gateway.ts";
import type { SignIns } from "./members.ts";
import { runOpenLoop } from "./open-loop.ts";
import { type LoadSettings, planOf, type Step } from "./plan.ts";
import { createRandom } from "./random.ts";
import type { World } from "./seed.ts";
import { type Failure, type FlowResult, Tally } from "./tally.ts";

export interface LoadParts {
  readonly gateway: Gateway;
  readonly signIns: SignIns;
  readonly world: World;
  readonly signal?: AbortSignal;
}

export interface LoadResult {
  readonly flows: readonly FlowResult[];
  readonly failures: readonly Failure[];
  readonly acknowledged: Acknowledged;
  readonly reconnects: number;
  readonly elapsedMs: number;
  /** Of one core. */
  readonly ownCpuShare: number;
  /** How late steps were begun: the generator's fault, and part of the times above. */
  readonly lateMs: number;
}

const LINES = 8;
const MAX_IN_FLIGHT = 1_000;
const HEARD = "message heard";

/** Does what the plan says, as it comes due, and counts what came of it. */
export async function runLoad(settings: LoadSettings, { gateway, signIns, world, signal }: LoadParts): Promise<LoadResult> {
  const tally = new Tally();
  const sentAt = new Map<string, number>();
  const lines = world.members.slice(0, LINES).map(({ token }) => newLine({ gateway, token, rooms: world.rooms }, tally, sentAt));
  const parts: FlowParts = { gateway, signIns, world, lines, acknowledged: createAcknowledged(), sentAt };
  await Promise.all(lines.map((line) => line.open()));
  const [started, cpu] = [performance.now(), process.cpuUsage()];
  const late = new Tally();
  try {
    await runOpenLoop(planOf(settings), {
      maxInFlight: MAX_IN_FLIGHT,
      begin: async (step, dueMs) => {
        late.succeeded("", performance.now() - dueMs);
        await perform(step, dueMs, settings.seed, parts, tally);
      },
      leftOut: ({ kind }) => tally.failed(kind, 0, { what: `not begun: ${MAX_IN_FLIGHT} are in flight`, isClear: false }),
      ...(signal !== undefined && { signal }),
    });
  } finally {
    for (const line of lines) line.close();
  }
  const elapsedMs = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  return {
    flows: tally.results(),
    failures: tally.failures(),
    acknowledged: parts.acknowledged,
    reconnects: lines.reduce((sum, { reconnects }) => sum + reconnects, 0),
    elapsedMs,
    ownCpuShare: (user + system) / 1000 / elapsedMs,
    lateMs: late.results()[0]?.p99 ?? 0,
  };
}

function newLine(
  where: { gateway: Gateway; token: string; rooms: readonly string[] },
  tally: Tally,
  sentAt: Map<string, number>,
): ChatLine {
  return new ChatLine({
    ...where,
    onMessage(text) {
      const sent = sentAt.get(text);
      if (sent !== undefined) tally.succeeded(HEARD, performance.now() - sent);
    },
    onGap: (what) => tally.failed(HEARD, 0, { what: what.replaceAll(/\d+/g, "N"), isClear: false }),
  });
}

/** A step's first request is timed from when it was due, those behind it from when they are sent. Steps end with the first failure. */
async function perform(step: Step, dueMs: number, seed: number, parts: FlowParts, tally: Tally): Promise<void> {
  let sinceMs = dueMs;
  const measure: Measure = async (flow, work) => {
    try {
      const result = await work();
      tally.succeeded(flow, performance.now() - sinceMs);
      return result;
    } catch (error) {
      tally.failed(flow, performance.now() - sinceMs, toFailure(error));
      throw error;
    } finally {
      sinceMs = performance.now();
    }
  };
  const turn = { random: createRandom(seed, step.index), mark: `${markOf(seed)}${step.index}`, measure };
  await flows[step.kind](parts, turn).catch(() => {
    // Counted where it was measured.
  });
}

/** The same steps again, on the same data, are not the same messages and members. */
const RUN = Date.now().toString(36);

/** What is in every text and name of a run, which is that of this process. */
export function markOf(seed: number): string {
  return `${seed}-${RUN}-`;
}

function toFailure(error: unknown): { readonly what: string; readonly isClear: boolean } {
  if (error instanceof UnexpectedAnswer) return { what: error.message.replaceAll(/[0-9a-f-]{36}/g, ":id"), isClear: error.isClear };
  const what = error instanceof Error ? error.message : String(error);
  return { what, isClear: error instanceof LineError && !what.startsWith("no answer") };
}
