import { begin } from "../../src/meshtest/begin.ts";
import type { Call } from "../../src/meshtest/document.ts";
import { follow } from "../../src/meshtest/evaluator-engine.ts";
import { MeshError } from "../../src/model/error.ts";
import { PROBE_ADDRESS } from "../../src/model/pod-network.ts";
import { TestAuthorities } from "../../src/meshtest/real/authorities.ts";
import type { Exchange } from "../../src/meshtest/real/exchange.ts";
import type { Lab, LabMesh, RunningMesh } from "../../src/meshtest/real/lab.ts";
import { toClientOrders } from "../../src/meshtest/real/to-client-orders.ts";
import { toDecision } from "../../src/meshtest/real/to-decision.ts";
import { toLabMesh } from "../../src/meshtest/real/to-lab-mesh.ts";
import type { Decision, Request } from "../../src/evaluate/index.ts";
import { compare, type Difference } from "./compare.ts";
import { DELAY_HEADER, MARGIN_MS } from "./delay.ts";
import type { FuzzCase } from "./document.ts";
import { issuers, type ReadCase, readCases } from "./evaluator.ts";
import { onOwnConnections } from "./own-connections.ts";
import { CLIENT_ADDRESSES, OUTSIDE_HOSTS, services, WORKLOADS } from "./topology.ts";

type Begun = Extract<ReturnType<typeof begin>, { readonly beginnings: unknown }>;

/** No generated request takes so long. */
const PATIENCE_MS = 8000;

/** What became of one call. */
export type CallVerdict =
  /** `unsteady`: the first time it differed in what comes late (a copy, a line of a log); not the second time. */
  | { readonly kind: "agreed"; readonly evaluated: Decision; readonly unsteady?: readonly Difference[] }
  | { readonly kind: "skipped"; readonly evaluated: Decision; readonly reason: string }
  | { readonly kind: "differs"; readonly evaluated: Decision; readonly real?: Decision; readonly differences: readonly Difference[] };

/** One set of real Envoys that takes one generated mesh after another. */
export class FuzzLab {
  readonly #running: RunningMesh;
  readonly #authorities: TestAuthorities;
  readonly #like: ReadCase;

  private constructor(running: RunningMesh, authorities: TestAuthorities, like: ReadCase) {
    this.#running = running;
    this.#authorities = authorities;
    this.#like = like;
  }

  /** @throws MeshError where the lab can't start. */
  static async open(lab: Lab): Promise<FuzzLab> {
    const authorities = new TestAuthorities(Date.now());
    const [first] = await readCases([everybody()], { certificateFor: authorities.secretFor });
    if (first === undefined) throw new MeshError("bug", "the first mesh can't be read");
    const requests = first.calls.flatMap((call) => requestsOf(call, first));
    return new FuzzLab(await lab.open(toLabMesh(first.mesh, requests, authorities)), authorities, first);
  }

  read(cases: readonly FuzzCase[]): Promise<readonly ReadCase[]> {
    return readCases(cases, { certificateFor: this.#authorities.secretFor, like: this.#like.mesh });
  }

  /** Makes the proxies serve this mesh; what a proxy refuses of it is a difference, too. */
  async serve(read: ReadCase): Promise<Difference | undefined> {
    const requests = read.calls.flatMap((call) => requestsOf(call, read));
    const { outside, names: touched, snapshotFor } = toLabMesh(read.mesh, requests, this.#authorities);
    const names = { ...touched, ...Object.fromEntries(OUTSIDE_HOSTS.map((host) => [host, read.mesh.addresses.outside(host)])) };
    const sent: Pick<LabMesh, "snapshotFor" | "outside" | "names"> = {
      outside,
      names,
      snapshotFor: memoised((proxy) => onOwnConnections(snapshotFor(proxy))),
    };
    try {
      await this.#running.update(sent);
      return undefined;
    } catch (thrown) {
      const { code, message } = MeshError.from(thrown);
      if (code !== "protocol") throw thrown;
      return { field: "configuration", evaluator: "taken", real: message };
    }
  }

  /** Asks both, about a call of the mesh that is served; where they differ, once more. */
  async ask(call: Call, read: ReadCase): Promise<CallVerdict> {
    const first = await this.askOnce(call, read);
    if (first.kind !== "differs") return first;
    const second = await this.askOnce(call, read);
    return second.kind === "agreed" ? { ...second, unsteady: first.differences } : second;
  }

  async askOnce(call: Call, read: ReadCase, onExchange?: (exchange: Exchange) => void): Promise<CallVerdict> {
    // Begun once: a token is signed anew each time.
    const begun = begin(call, read, { issuers, nowMs: Date.now() });
    if ("decision" in begun) return { kind: "skipped", evaluated: begun.decision, reason: "the client has no address to connect to" };
    const evaluated = follow(begun, read.mesh);
    const undecided = evaluated.outcomes.find(({ outcome }) => outcome.kind === "undecided")?.outcome;
    if (undecided?.kind === "undecided") return { kind: "skipped", evaluated, reason: `undecided at ${undecided.at}` };
    if (isNearLimit(begun, evaluated, read)) return { kind: "skipped", evaluated, reason: "an answer that comes when a limit ends" };
    const { sender, orders } = toClientOrders(call, begun.beginnings, read.mesh, this.#authorities);
    const hurried = orders.map((order) => ({ ...order, timeoutMs: PATIENCE_MS }));
    const judge = (exchange: Exchange) => {
      const real = toDecision({ call, sender, orders, exchange, mesh: read.mesh });
      return { real, differences: compare(evaluated, real) };
    };
    const exchange = await this.#running.exchange(sender, hurried, 1, (seen) => !lacks(seen, judge));
    onExchange?.(exchange);
    try {
      const { real, differences } = judge(exchange);
      return differences.length === 0 ? { kind: "agreed", evaluated } : { kind: "differs", evaluated, real, differences };
    } catch (thrown) {
      return { ...fails(MeshError.from(thrown).message), evaluated };
    }
  }

  /** Serves a case and asks about its first call. */
  async tryCase(given: FuzzCase): Promise<CallVerdict> {
    const [read] = await this.read([given]);
    const [call] = read?.calls ?? [];
    if (read === undefined || call === undefined) throw new MeshError("bug", "a case without a call");
    const refusal = await this.serve(read);
    return refusal === undefined ? this.ask(call, read) : { ...fails(""), differences: [refusal] };
  }
}

/** Whether it would end otherwise if the application were a little faster or slower. */
function isNearLimit(begun: Begun, evaluated: Decision, { mesh }: ReadCase): boolean {
  if (!begun.beginnings.some(({ request }) => request.headers.some(([name]) => name === DELAY_HEADER))) return false;
  const ends = (decision: Decision) =>
    JSON.stringify(
      decision.outcomes.map(({ share, outcome }) => [
        share,
        outcome.kind,
        outcome.kind === "response" ? [outcome.status, outcome.attempts] : [],
      ]),
    );
  return [-MARGIN_MS, MARGIN_MS].some((byMs) => {
    const beginnings = begun.beginnings.map(({ share, request }) => ({
      share,
      request: { ...request, headers: delayed(request.headers, byMs) },
    }));
    return ends(follow({ beginnings }, mesh)) !== ends(evaluated);
  });
}

function delayed(headers: Request["headers"], byMs: number): Request["headers"] {
  return headers.map(([name, value]) => (name === DELAY_HEADER ? [name, String(Math.max(0, Number(value) + byMs))] : [name, value]));
}

/** What may come after the answer: a line of a log, a copy. */
const LATE = new Set(["via", "because", "mirroredTo"]);

/** Both agree but for what may still come. */
function lacks(seen: Exchange, judge: (exchange: Exchange) => { readonly differences: readonly Difference[] }): boolean {
  if (seen.reports.some(({ kind }) => kind === "timeout")) return false;
  try {
    const { differences } = judge(seen);
    return differences.length > 0 && differences.every(({ field }) => LATE.has(field));
  } catch {
    return true;
  }
}

/** The lab tells by the object whether a proxy has to be told. */
function memoised<Key extends object, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const known = new Map<Key, Value>();
  return (key) => {
    const value = known.get(key) ?? make(key);
    known.set(key, value);
    return value;
  };
}

function fails(message: string): Extract<CallVerdict, { kind: "differs" }> {
  return { kind: "differs", evaluated: { outcomes: [] }, differences: [{ field: "engine", evaluator: "an answer", real: message }] };
}

function requestsOf(call: Call, read: ReadCase): readonly Request[] {
  const begun = begin(call, read, { issuers, nowMs: Date.now() });
  return "decision" in begun ? [] : begun.beginnings.map(({ request }) => request);
}

/** A mesh in which every workload and every client's address is called, so that all of them are there from the start. */
function everybody(): FuzzCase {
  const callEach = WORKLOADS.map(({ name, ports }) => ({ from: { outside: name }, request: { url: `http://${name}:${ports[0]}/` } }));
  const fromEach = [...CLIENT_ADDRESSES, PROBE_ADDRESS].map((clientIp) => ({
    from: { outside: "client", clientIp },
    request: { url: "http://client:8080/" },
  }));
  return { profile: "istio", documents: services(), calls: [...callEach, ...fromEach] };
}
