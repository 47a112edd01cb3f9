import type { Decision, Outcome, ResponseOutcome } from "../../src/evaluate/index.ts";
import { formatRef } from "../../src/model/resource.ts";
import { targetText } from "../../src/meshtest/judge.ts";

/** One thing on which evaluator and real proxies differ. */
export interface Difference {
  readonly field: string;
  readonly evaluator: string;
  readonly real: string;
}

/** Of the connection, of the moment, or of the proxy that happens to be there. */
const NOISE = new Set(
  [
    "connection",
    "transfer-encoding",
    "content-length",
    "keep-alive",
    "date",
    "server",
    "content-type",
    "x-envoy-upstream-service-time",
  ].concat([
    "grpc-status",
    "grpc-message",
    "upgrade",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-accept",
    "te",
    "trailer",
  ]),
);

/**
 * Each way in which a real request ended must be one that the evaluator gives a share. Empty where they agree; else where the nearest way differs.
 */
export function compare(evaluated: Decision, real: Decision): readonly Difference[] {
  const possible = evaluated.outcomes.filter(({ share }) => share > 0).map(({ outcome }) => outcome);
  for (const { outcome } of real.outcomes) {
    const [nearest = []] = possible
      .map((each) => [...differences(each, outcome), ...(real.outcomes.length === 1 && isTold(outcome) ? passedBy(each, outcome) : [])])
      .toSorted((a, b) => a.length - b.length);
    if (nearest.length > 0) return nearest;
  }
  return [];
}

function differences(evaluated: Outcome, real: Outcome): readonly Difference[] {
  const found: Difference[] = [];
  const check = (field: string, ours: string | undefined, theirs: string | undefined) => {
    if (ours !== theirs) found.push({ field, evaluator: ours ?? "nothing", real: theirs ?? "nothing" });
  };
  check("kind", evaluated.kind, real.kind);
  if (evaluated.kind === "open" && real.kind === "open") {
    check("to", targetText(evaluated.to), targetText(real.to));
    check("tls", `${evaluated.tls}`, `${real.tls}`);
    check("principal", evaluated.principal, real.principal);
  }
  if (evaluated.kind === "response" && real.kind === "response") compareResponses(evaluated, real, check);
  if (found.length === 0) compareReasons(evaluated, real, check);
  return found;
}

/** A proxy that passes bytes on says so when the connection ends; one of HTTP/2 may go on after its request. */
export function isTold(real: Outcome): boolean {
  const to = "to" in real ? real.to : undefined;
  return to === undefined || "external" in to || real.via.some(({ name }) => name === to.name) || to.name === "legacy";
}

/** A connection that no proxy took is in nobody's log. */
function passedBy(evaluated: Outcome, real: Outcome): readonly Difference[] {
  if (real.kind !== "response" && real.kind !== "open") return [];
  const [ours, theirs] = [evaluated, real].map(({ via }) => new Set(via.map(targetText))) as [Set<string>, Set<string>];
  if ([...ours].every((name) => theirs.has(name)) && (hasCopies(evaluated) || theirs.size === ours.size)) return [];
  return [{ field: "via", evaluator: [...ours].join(" "), real: [...theirs].join(" ") }];
}

/** A copy that was turned away before it was a request can't be told from the request itself. */
function hasCopies({ steps }: Outcome): boolean {
  return steps.some(({ what }) => what === "mirror");
}

type Check = (field: string, ours: string | undefined, theirs: string | undefined) => void;

function compareResponses(evaluated: ResponseOutcome, real: ResponseOutcome, check: Check): void {
  check("status", `${evaluated.status}`, `${real.status}`);
  check("grpcStatus", evaluated.grpcStatus, real.grpcStatus);
  check("by", evaluated.by, real.by);
  if (evaluated.by === "application") check("to", evaluated.to && targetText(evaluated.to), real.to && targetText(real.to));
  check("attempts", `${evaluated.attempts}`, `${real.attempts}`);
  check("headers", linesOf(evaluated.headers).join("\n"), linesOf(real.headers).join("\n"));
  if (evaluated.by === real.by && evaluated.grpcStatus === undefined && evaluated.body !== undefined)
    compareBodies(evaluated.body, real.body, check);
  compareReceived(evaluated, real, check);
  compareMirrors(evaluated.mirroredTo, real.mirroredTo, check);
}

function compareReceived({ received: ours, by }: ResponseOutcome, real: ResponseOutcome, check: Check): void {
  if (by !== "application") return;
  const { received: theirs } = real;
  for (const field of ["method", "authority", "path", "protocol"] as const) check(`received.${field}`, ours?.[field], theirs?.[field]);
  if (isTold(real)) check("received.principal", ours?.principal, theirs?.principal);
  check("received.tls", `${ours?.tls}`, `${theirs?.tls}`);
  const made = new Set(ours?.generatedHeaders);
  const names = new Set(linesOf(theirs?.headers ?? []).map((line) => line.split(":", 1)[0] ?? ""));
  const missing = [...made].filter((name) => !names.has(name) && !NOISE.has(name));
  check(
    "received.headers",
    [...linesOf(ours?.headers ?? [], made), ...missing].join("\n"),
    linesOf(theirs?.headers ?? [], made).join("\n"),
  );
}

/** What Envoy says of a failed connection ends in details of the transport. */
function compareBodies(evaluated: string, real = "", check: Check): void {
  if (!evaluated.startsWith("upstream connect error") || !real.startsWith(evaluated)) check("body", evaluated, real);
}

/** Sorted by name; the order of the lines of one name stays. Values that proxies make up are left out. */
function linesOf(headers: ResponseOutcome["headers"], made: ReadonlySet<string> = new Set()): readonly string[] {
  return headers
    .filter(([name]) => !NOISE.has(name) && !made.has(name))
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => `${name}: ${value}`);
}

type Mirrors = ResponseOutcome["mirroredTo"];

/** A copy that is sent only now and then may come or not. */
function compareMirrors(evaluated: Mirrors, real: Mirrors, check: Check): void {
  const seen = new Set(real.map(({ target }) => targetText(target)));
  const sure = evaluated.filter(({ share }) => share >= 1).map(({ target }) => targetText(target));
  const may = new Set(evaluated.map(({ target }) => targetText(target)));
  const expected = [...new Set([...sure, ...[...seen].filter((name) => may.has(name))])];
  check("mirroredTo", expected.toSorted().join(" "), [...seen].toSorted().join(" "));
}

/** Where the real proxies' logs tell who decided, it is one of those whom the evaluator names. */
function compareReasons(evaluated: Outcome, real: Outcome, check: Check): void {
  const [ours, theirs] = [evaluated, real].map(({ because }) =>
    because.map((reason) => (typeof reason === "string" ? reason : formatRef(reason.ref))),
  ) as [string[], string[]];
  // What turned a copy away can't be told from what turned the request away.
  if (!hasCopies(evaluated) && theirs.length > 0 && !theirs.some((reason) => ours.includes(reason)))
    check("because", ours.join(" "), theirs.join(" "));
}
