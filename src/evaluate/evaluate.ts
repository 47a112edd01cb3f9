import { connectTo, connectToWorkload, siteOf } from "./connect.ts";
import { leavePod } from "./leave-pod.ts";
import type { Connection, Stream } from "./connection.ts";
import type { Decision, MeshView, Outcome, Request } from "./decision.ts";
import { type HttpMessage, isUnmeasured, readLines, withLine } from "./http-message.ts";
import { receive } from "./receive.ts";
import { type Branch, START, type Trail } from "./trail.ts";

/**
 * Follows a request through the resources that the proxies on its way were sent. What can't be known from them (weights, percentages) is a
 * distribution; what this evaluator does not know ends as `undecided`, never as if it weren't there.
 */
export function evaluate(request: Request, view: MeshView): Decision {
  const branches = begin(request, view);
  const outcomes = merged(branches.map(({ share, trail, end }) => ({ share, outcome: toOutcome(trail, asAsked(request, end)) })));
  return { outcomes };
}

function begin(request: Request, view: MeshView): readonly Branch[] {
  const { from, destination, sourceAddress, nowMs } = request;
  const start: Trail = { ...START, atOnce: request.atOnce ?? 1 };
  const connection: Connection = { source: sourceAddress, destination, stream: streamOf(request) };
  if (from.kind === "outside") return connectToWorkload(view, from.workload, connection, start, nowMs);
  if (from.kind === "workload") return leavePod(view, from.workload, connection, start, nowMs);
  const found = view.proxyOf(from.workload);
  if (found === undefined) return connectTo(view, connection, start, nowMs);
  return receive(siteOf(view, from.workload, found, nowMs), connection, "outbound", { ...start, via: [from.workload] });
}

function streamOf(request: Request): Stream {
  const { tls, protocol } = request;
  const inside: Stream = protocol === "tcp" || protocol === "tls" ? { kind: "bytes" } : { kind: "http", message: messageOf(request) };
  if (tls === undefined) return inside;
  const { clientCertificate, sni = "", alpn } = tls;
  return { kind: "tls", hello: { sni, alpn, ...(clientCertificate !== undefined && { certificate: clientCertificate }) }, inside };
}

function messageOf({ protocol, method, authority, path, headers, body, tls }: Request): HttpMessage {
  const version = protocol === "http2" || protocol === "grpc" ? "http2" : "http1";
  const given = readLines(headers).filter(([name]) => name !== "host" && !name.startsWith(":"));
  const implied: readonly (readonly [string, string])[] =
    protocol === "grpc" && !given.some(([name]) => name === "content-type")
      ? [["content-type", "application/grpc"]]
      : protocol === "websocket" && !given.some(([name]) => name === "upgrade")
        ? [
            ["connection", "Upgrade"],
            ["upgrade", "websocket"],
          ]
        : [];
  const scheme = tls === undefined ? "http" : "https";
  const message: HttpMessage = {
    version,
    method,
    scheme,
    authority,
    path,
    headers: [...given, ...implied],
    generated: [],
    ...(body !== undefined && { body }),
  };
  // HTTP/1 has to say how long a body is (RFC 9112, section 6), HTTP/2 need not.
  return version === "http1" && isUnmeasured(message) ? withLine(message, "content-length", String(body?.length ?? 0)) : message;
}

/** What answers HEAD has no body, nor has in HTTP/1 an answer that says so by its status (RFC 9112, section 6.3). */
function asAsked({ method, protocol }: Request, end: Branch["end"]): Branch["end"] {
  if (end.kind !== "response" || end.reply.body === undefined) return end;
  // Of gRPC a client reads messages, whatever they were sent in.
  if (protocol === "grpc" && end.reply.by === "application") {
    const { body: _, ...reply } = end.reply;
    return { ...end, reply };
  }
  const isBodiless = method === "HEAD" || (protocol === "http1" && (end.reply.status === 204 || end.reply.status === 304));
  return isBodiless ? { ...end, reply: { ...end.reply, body: "" } } : end;
}

function toOutcome(trail: Trail, end: Branch["end"]): Outcome {
  const { steps, via, delayMs, arrivedMs, mirrors } = trail;
  const parts = { steps, via, delayMs, because: end.because };
  switch (end.kind) {
    case "response":
      return { ...parts, kind: "response", ...end.reply, attempts: arrivedMs.length, mirroredTo: mirrors };
    case "open":
      return { ...parts, kind: "open", to: end.to, tls: end.tls, ...(end.principal !== undefined && { principal: end.principal }) };
    case "undecided":
      return { ...parts, kind: "undecided", at: end.at };
    default:
      return { ...parts, kind: end.kind };
  }
}

/** Ways that end alike count as one: the endpoints of one workload, say. The first one's steps stand for all. */
function merged(outcomes: Decision["outcomes"]): Decision["outcomes"] {
  if (outcomes.length === 1) return outcomes;
  const byLook = new Map<string, Decision["outcomes"][number]>();
  for (const { share, outcome } of outcomes) {
    const { steps: _steps, ...look } = outcome;
    const key = JSON.stringify(look);
    const known = byLook.get(key);
    byLook.set(key, known === undefined ? { share, outcome } : { ...known, share: known.share + share });
  }
  return [...byLook.values()];
}
