import type { Decision, Outcome, ResponseOutcome, Target, WorkloadRef } from "../evaluate/index.ts";
import { MeshError } from "../model/error.ts";
import { formatDeclared } from "../model/resource.ts";
import type { Call, Expectation, Range } from "./document.ts";
import { headerMismatches, undecidedHeaders } from "./judge-headers.ts";
import { externalHost, type WorkloadNames } from "./names.ts";

/** One field in which the outcome differs from what was expected. */
export interface Mismatch {
  readonly field: string;
  readonly expected: string;
  readonly happened: string;
}

export type Verdict =
  | { readonly verdict: "pass" }
  | { readonly verdict: "skip"; readonly reason: string }
  | { readonly verdict: "fail"; readonly mismatches: readonly Mismatch[]; readonly outcome: Outcome | undefined };

type Outcomes = Decision["outcomes"];

/** Shares are sums of fractions. */
const ROUNDING = 1e-9;

/** Holds a decision against what a call expects of it. Each way in which the request may end must be as expected; ranges count the ways. */
export function judge({ expect, request }: Call, { outcomes }: Decision, names: WorkloadNames): Verdict {
  const possible = outcomes.filter(({ share }) => share > ROUNDING);
  if (possible.length === 0) throw new MeshError("bug", "a decision without an outcome");
  const undecided = possible.find(({ outcome }) => outcome.kind === "undecided")?.outcome;
  if (undecided?.kind === "undecided") return { verdict: "skip", reason: `undecided at ${undecided.at}` };
  const judged = possible.map(({ share, outcome }) => ({
    share,
    outcome,
    mismatches: [...judgeOutcome(expect, outcome, names), ...judgeBody(expect, outcome, request.body)],
  }));
  const failed = judged.find((way) => way.mismatches.length > 0);
  if (failed !== undefined) {
    const alike = judged.filter((way) => JSON.stringify(way.mismatches) === JSON.stringify(failed.mismatches));
    const share = alike.reduce((sum, way) => sum + way.share, 0);
    return { verdict: "fail", mismatches: withShare(failed.mismatches, share), outcome: failed.outcome };
  }
  const mismatches = [...judgeCounts(expect, possible, request.repeat, names), ...judgeSame(expect, possible)];
  const [unknown] = mismatches.length === 0 ? possible.flatMap(({ outcome }) => unknownValues(expect, outcome)) : [];
  if (unknown !== undefined) return { verdict: "skip", reason: `undecided at the value of ${unknown}, which a proxy makes up` };
  return mismatches.length === 0 ? { verdict: "pass" } : { verdict: "fail", mismatches, outcome: possible[0]?.outcome };
}

function unknownValues({ headers, received }: Expectation, outcome: Outcome): readonly string[] {
  if (outcome.kind !== "response") return [];
  const { received: got } = outcome;
  return [
    ...undecidedHeaders("headers", headers, outcome.headers, outcome.generatedHeaders ?? []),
    ...undecidedHeaders("received.headers", received?.headers, got?.headers ?? [], got?.generatedHeaders ?? []),
  ];
}

function withShare(mismatches: readonly Mismatch[], share: number): readonly Mismatch[] {
  if (share > 1 - ROUNDING) return mismatches;
  const often = `in ${Number((share * 100).toFixed(2))} % of all cases`;
  return mismatches.map((mismatch) => ({ ...mismatch, happened: `${mismatch.happened} ${often}` }));
}

function judgeOutcome(expect: Expectation, outcome: Outcome, names: WorkloadNames): readonly Mismatch[] {
  const found: Mismatch[] = [];
  const compare = (field: string, expected: string | number | boolean | undefined, happened: string | number | boolean | undefined) => {
    if (expected !== undefined && expected !== happened)
      found.push({ field, expected: String(expected), happened: String(happened ?? "nothing") });
  };
  const response = outcome.kind === "response" ? outcome : undefined;
  const end = response === undefined ? endOf(outcome) : undefined;
  compare("connection", expect.connection, response === undefined ? outcome.kind : `a response with status ${response.status}`);
  compare("status", expect.status, end ?? response?.status);
  compare("grpcStatus", expect.grpcStatus, end ?? response?.grpcStatus ?? `status ${response?.status}`);
  if (typeof expect.to === "string") compare("to", nameOf(expect.to, names), answererOf(outcome) ?? end ?? "no workload");
  if (expect.attempts !== undefined) compare("attempts", expect.attempts, response?.attempts ?? (outcome.kind === "open" ? 1 : 0));
  if (expect.delayMs !== undefined && !isIn(expect.delayMs, outcome.delayMs))
    found.push({ field: "delayMs", expected: rangeText(expect.delayMs), happened: `${outcome.delayMs}` });
  if (expect.headers !== undefined)
    found.push(...headerMismatches("headers", expect.headers, response?.headers ?? [], response?.generatedHeaders ?? []));
  found.push(...judgeReceived(expect, outcome), ...judgeCompany(expect, outcome, names), ...judgeBecause(expect, outcome));
  return found;
}

/** A proxy's own text, or what the application sends back: the body, or the bytes, that it got. */
function judgeBody({ body }: Expectation, outcome: Outcome, sent: string): readonly Mismatch[] {
  const response = outcome.kind === "response" ? outcome : undefined;
  const isEcho = outcome.kind === "open" || response?.by === "application";
  const text = response?.body ?? (isEcho ? sent : "");
  if (body === undefined || ((isEcho || response !== undefined) && text.includes(body))) return [];
  return [{ field: "body", expected: JSON.stringify(body), happened: endOf(outcome) ?? JSON.stringify(text) }];
}

function judgeReceived({ received: expected }: Expectation, outcome: Outcome): readonly Mismatch[] {
  if (expected === undefined) return [];
  if (outcome.kind === "open") {
    const { tls, principal = "" } = outcome;
    return compareFields(expected, { tls, principal });
  }
  const received = outcome.kind === "response" ? outcome.received : undefined;
  if (received === undefined)
    return [{ field: "received", expected: "a request at an application", happened: endOf(outcome) ?? "none arrived" }];
  return [
    ...compareFields(expected, { ...received, principal: received.principal ?? "" }),
    ...headerMismatches("received.headers", expected.headers ?? [], received.headers, received.generatedHeaders),
  ];
}

function compareFields(expected: NonNullable<Expectation["received"]>, happened: Readonly<Record<string, unknown>>): readonly Mismatch[] {
  return (["path", "method", "authority", "protocol", "principal", "tls"] as const).flatMap((field) => {
    const [wanted, got] = [expected[field], happened[field]];
    return wanted === undefined || wanted === got
      ? []
      : [{ field: `received.${field}`, expected: String(wanted), happened: got === "" ? "none" : String(got) }];
  });
}

function judgeCompany({ mirroredTo, via }: Expectation, outcome: Outcome, names: WorkloadNames): readonly Mismatch[] {
  const found: Mismatch[] = [];
  const mirrors = outcome.kind === "response" ? outcome.mirroredTo.map(({ target }) => targetText(target)) : [];
  const compare = (field: string, expected: string | null | undefined, happened: readonly string[]) => {
    if (expected === undefined) return;
    const isRight = expected === null ? happened.length === 0 : happened.includes(nameOf(expected, names));
    if (!isRight)
      found.push({ field, expected: expected === null ? "none" : nameOf(expected, names), happened: happened.join(", ") || "none" });
  };
  compare("mirroredTo", mirroredTo, mirrors);
  compare("via", via, via === null ? betweenOf(outcome) : outcome.via.map(targetText));
  return found;
}

/** Proxies that the request passed beside its caller's, which is the first, and its receiver's. */
function betweenOf(outcome: Outcome): readonly string[] {
  const last = (outcome.kind === "response" || outcome.kind === "open") && outcome.to !== undefined ? targetText(outcome.to) : undefined;
  return outcome.via
    .slice(1)
    .map(targetText)
    .filter((name) => name !== last);
}

function judgeBecause({ because }: Expectation, outcome: Outcome): readonly Mismatch[] {
  if (because === undefined) return [];
  const reasons = [...new Set(outcome.because.map((reason) => (typeof reason === "string" ? reason : formatDeclared(reason.ref))))];
  return reasons.includes(because) ? [] : [{ field: "because", expected: because, happened: reasons.join(", ") || "no resource" }];
}

function judgeCounts({ to }: Expectation, possible: Outcomes, repeat: number, names: WorkloadNames): readonly Mismatch[] {
  if (to === undefined || typeof to === "string") return [];
  const wanted = new Map(to.map(([name, range]) => [nameOf(name, names), range]));
  const counts = new Map<string, number>();
  for (const { share, outcome } of possible) {
    const name = answererOf(outcome);
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + share * repeat);
  }
  // By a hash one of them gets all, and which one isn't known.
  const isAllOrNothing = counts.size > 1 && isOneHash(possible);
  const off = [...wanted].flatMap(([name, range]) => {
    const count = counts.get(name) ?? 0;
    const isRight = isAllOrNothing && counts.has(name) ? isIn(range, 0) && isIn(range, repeat) : isIn(range, count);
    return isRight ? [] : [{ field: `to ${name}`, expected: rangeText(range), happened: `${Number(count.toFixed(2))} of ${repeat}` }];
  });
  const others = [...counts].flatMap(([name, count]) =>
    wanted.has(name) ? [] : [{ field: `to ${name}`, expected: "none", happened: `${Number(count.toFixed(2))} of ${repeat}` }],
  );
  return [...off, ...others];
}

function judgeSame({ sameWorkload }: Expectation, possible: Outcomes): readonly Mismatch[] {
  if (sameWorkload === undefined) return [];
  const names = [...new Set(possible.map(({ outcome }) => answererOf(outcome) ?? endOf(outcome) ?? "no workload"))];
  const isSame = names.length === 1 || isOneHash(possible);
  if (isSame === sameWorkload) return [];
  return [{ field: "sameWorkload", expected: sameWorkload ? "one workload for all" : "several workloads", happened: names.join(", ") }];
}

/** Which endpoint of a cluster it is isn't known, but equal requests go to one; two such clusters (of a route with weights) have one each. */
function isOneHash(possible: Outcomes): boolean {
  const clusters = new Set(possible.map(({ outcome }) => outcome.steps.find(({ what }) => what === "hash")?.detail));
  return clusters.size === 1 && !clusters.has(undefined);
}

/** Who answered: an application, be it over HTTP or with bytes of its own. */
export function answererOf(outcome: Outcome): string | undefined {
  if (outcome.kind === "open") return targetText(outcome.to);
  return outcome.kind === "response" && outcome.by === "application" && outcome.to !== undefined ? targetText(outcome.to) : undefined;
}

export function targetText(target: Target): string {
  return "external" in target ? `external:${target.external}` : `${target.namespace}/${target.name}`;
}

/** A name as `targetText` writes it. */
function nameOf(name: string, names: WorkloadNames): string {
  const ref: WorkloadRef | undefined = externalHost(name) === undefined ? names.find(name) : undefined;
  return ref === undefined ? name : targetText(ref);
}

function endOf(outcome: Outcome): string | undefined {
  return outcome.kind === "response" ? undefined : `connection ${outcome.kind}`;
}

function isIn({ min, max }: Range, value: number): boolean {
  return value >= min - ROUNDING && value <= max + ROUNDING;
}

function rangeText({ min, max }: Range): string {
  return min === max ? `${min}` : `${min}..${max}`;
}

/** What happened, in a few words. */
export function describeOutcome(outcome: Outcome): string {
  if (outcome.kind !== "response") return outcome.kind === "undecided" ? `undecided at ${outcome.at}` : `connection ${outcome.kind}`;
  const { status, grpcStatus, by, to } = outcome as ResponseOutcome;
  const who = by === "application" && to !== undefined ? ` from ${targetText(to)}` : " from a proxy";
  return `${status}${grpcStatus === undefined ? "" : ` (grpc ${grpcStatus})`}${who}`;
}
