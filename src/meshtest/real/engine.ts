import { MeshError } from "../../model/error.ts";
import { begin } from "../begin.ts";
import type { Call } from "../document.ts";
import type { Decision, Request } from "../../evaluate/index.ts";
import type { TestMesh } from "../test-mesh.ts";
import type { Answer, Engine, PreparedTest } from "../engine.ts";
import type { TestIssuers } from "../issuers.ts";
import type { TestAuthorities } from "./authorities.ts";
import { withoutChecks } from "./checks.ts";
import type { Exchange } from "./exchange.ts";
import type { Lab, RunningMesh } from "./lab.ts";
import { meshKey } from "./mesh-key.ts";
import { haveMirrorsCome } from "./mirrors.ts";
import { toClientOrders } from "./to-client-orders.ts";
import { toDecision } from "./to-decision.ts";
import { toLabMesh } from "./to-lab-mesh.ts";

export interface RealEngineInputs {
  readonly lab: Lab;
  readonly issuers: TestIssuers;
  readonly authorities: TestAuthorities;
  /** The wall clock: proxies know no other. Milliseconds since 1970. */
  now(): number;
  /** Meshes that run at a time. */
  readonly atOnce: number;
}

/** Sends the requests through real proxies. Tests whose meshes are equal share one; others run side by side. */
export function createRealEngine(tests: readonly PreparedTest[], inputs: RealEngineInputs): Engine {
  const groups = [...Map.groupBy(tests, meshKey).values()];
  const answers = new Map<PreparedTest, Promise<readonly Answer[]>>();
  const slots = new Slots(inputs.atOnce);
  for (const group of groups) {
    const run = slots.use(() => runGroup(group, inputs));
    for (const test of group) {
      const own = run.then((all) => all.get(test) ?? []);
      // Whoever asks hears of it; who doesn't ask is no reason to end.
      own.catch(() => {});
      answers.set(test, own);
    }
  }
  return {
    name: "real",
    decide: (test) => answers.get(test) ?? Promise.reject(new MeshError("bug", `test ${test.loaded.test.name} was not prepared`)),
  };
}

async function runGroup(group: readonly PreparedTest[], inputs: RealEngineInputs): Promise<ReadonlyMap<PreparedTest, readonly Answer[]>> {
  const answers = new Map<PreparedTest, readonly Answer[]>();
  const [first] = group;
  if (first === undefined) return answers;
  const requests = group.flatMap((test) => test.calls.flatMap((call) => requestsOf(call, test, first.mesh, inputs)));
  const running = requests.length === 0 ? undefined : await inputs.lab.open(toLabMesh(first.mesh, requests, inputs.authorities));
  try {
    for (const test of group) {
      const own: Answer[] = [];
      for (const call of test.calls) own.push(await answer(call, { test, mesh: first.mesh, running, inputs }));
      answers.set(test, own);
    }
  } finally {
    await running?.close();
  }
  return answers;
}

function requestsOf(call: Call, { names }: PreparedTest, mesh: TestMesh, { issuers, now }: RealEngineInputs): readonly Request[] {
  const begun = begin(call, { mesh, names }, { issuers, nowMs: now() });
  return "decision" in begun ? [] : begun.beginnings.map(({ request }) => request);
}

interface Place {
  readonly test: PreparedTest;
  /** The mesh that runs, which may be that of another test that is equal to this one's. */
  readonly mesh: TestMesh;
  /** Absent where no request ever leaves its client. */
  readonly running: RunningMesh | undefined;
  readonly inputs: RealEngineInputs;
}

async function answer(call: Call, { test, mesh, running, inputs }: Place): Promise<Answer> {
  try {
    const begun = begin(call, { mesh, names: test.names }, { issuers: inputs.issuers, nowMs: inputs.now() });
    if ("decision" in begun) return begun;
    if (call.from.clientIp?.includes(":")) return { decision: undecided("the network of the lab, which has no IPv6") };
    if (running === undefined) throw new MeshError("bug", "there is no mesh to send to");
    const { sender, orders } = toClientOrders(call, begun.beginnings, mesh, inputs.authorities);
    const isWhole = (seen: Exchange) => haveMirrorsCome(withoutChecks(seen, orders, mesh), mesh);
    const exchange = await running.exchange(sender, orders, call.request.concurrency, isWhole);
    return { decision: toDecision({ call, sender, orders, exchange, mesh }) };
  } catch (thrown) {
    const error = MeshError.from(thrown);
    return { failure: `the real engine failed: ${error.message}${error.help === undefined ? "" : ` (${error.help})`}` };
  }
}

function undecided(at: string): Decision {
  return { outcomes: [{ share: 1, outcome: { kind: "undecided", at, steps: [], because: [], via: [], delayMs: 0 } }] };
}

/** Lets so many run at a time; the others wait in order. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = Math.max(1, count);
  }

  async use<T>(run: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      return await run();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
