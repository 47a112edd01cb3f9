import type { Outcome } from "./decision.ts";
import type { Listener } from "../gen/envoy/config/listener/v3/listener_pb.js";
import { TrafficDirection } from "../gen/envoy/config/core/v3/base_pb.js";
import type { EnvoyResource } from "../translate/index.ts";
import { originsOf, type OriginTable, type Place } from "./origin-table.ts";
import type { ProxyLogLine } from "./proxy-log-line.ts";

type Because = Outcome["because"];

/** What a proxy itself decided, as its log says it. */
export interface Verdict {
  readonly line: ProxyLogLine;
  readonly because: Because;
  /** In words, for the path that is printed. */
  readonly detail: string;
  readonly place?: Place;
}

const RBAC = /rbac_access_denied_matched_policy\[(.*)\]/;
const JWT = /^jwt_authn_access_denied/;
/** A body that is too large is so for who waits for all of it: of the filters that a mesh has, the authorizer. */
const AUTHORIZER = /^(ext_authz_|request_payload_too_large)/;
/** Answers that the request itself asked for: nobody's configuration decided. Headers that are far too large end a connection of HTTP/2 with its codec's words. */
const OWN_FAULT =
  /^(codec_error:The_user_callback_function_failed|http[12]?\.|missing_host|absolute_path_rejected|low_version|path_normalization|request_headers_|too_many|invalid_|upgrade_failed|duplicate_|max_)/;
/** What came from further on (a WebSocket's answer that is none of a WebSocket, too), or from the client. */
const PASSED_ON = /^(via_upstream|websocket_handshake_unsuccessful|downstream_|remote_reset|local_reset)/;
const NO_CHAIN = /filter_chain_not_found/;

/** The decision that a request ended by: of the proxies on its way, the last one that decided something itself. Undefined where none did. */
export function verdictOf(lines: readonly ProxyLogLine[], issuers: readonly string[], table: OriginTable): Verdict | undefined {
  // A proxy that passes bytes on has already opened the next connection when its policy ends the first: that one's end is nobody's decision.
  const stopped = lines.find(
    ({ of, direction, terminationDetails = "" }) => of === "tcp" && direction !== "inbound" && RBAC.test(terminationDetails),
  );
  if (stopped !== undefined) return ofConnection(stopped, table);
  for (const line of lines.toReversed()) {
    const verdict = line.of === "request" ? ofRequest(line, issuers, table) : ofConnection(line, table);
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}

/** Whether a proxy gave an answer of its own in place of the next one's. */
export function answeredItself(line: ProxyLogLine): boolean {
  return line.of === "request" && line.details !== undefined && !PASSED_ON.test(line.details);
}

function ofRequest(line: ProxyLogLine, issuers: readonly string[], table: OriginTable): Verdict | undefined {
  const { details = "", flags = "" } = line;
  if (PASSED_ON.test(details) || details === "") return undefined;
  const policy = RBAC.exec(details)?.[1];
  if (policy !== undefined) return refusedByPolicy(line, policy, table);
  if (JWT.test(details)) {
    const places = table.tokenRules(line, issuers);
    const [place] = places;
    return { line, because: unique(places.flatMap(originsOf)), detail: details, ...(place && { place }) };
  }
  if (AUTHORIZER.test(details)) {
    const place = table.authorizer(line);
    return { line, because: place === undefined ? [] : originsOf(place), detail: details, ...(place && { place }) };
  }
  const detail = flags === "" ? details : `${details} (${flags})`;
  if (OWN_FAULT.test(details)) return { line, because: [], detail };
  const place = table.route(line);
  const own = place === undefined ? [] : originsOf(place);
  // Where no route's resource had a say, the one that opened the port did.
  const chain = own.length > 0 ? undefined : table.filterChain(line);
  return { line, because: chain === undefined ? own : originsOf(chain), detail, ...(place && { place }) };
}

function refusedByPolicy(line: ProxyLogLine, policy: string, table: OriginTable): Verdict {
  const place = table.policy(line, policy === "none" ? undefined : policy);
  const origins = place === undefined ? [] : originsOf(place);
  const because: Because = origins.length > 0 ? origins : ["Profile/zero-trust"];
  return { line, because, detail: policy === "none" ? "denied: no policy allows it" : `denied by ${policy}`, ...(place && { place }) };
}

function ofConnection(line: ProxyLogLine, table: OriginTable): Verdict | undefined {
  const { terminationDetails = "", details = "", transportFailure = "", flags = "", direction } = line;
  const policy = RBAC.exec(terminationDetails)?.[1] ?? RBAC.exec(details)?.[1];
  if (policy !== undefined) return refusedByPolicy(line, policy, table);
  // Of plaintext, Envoy reports what its TLS inspector stumbled over as a failure, too: what went on to the application was let in.
  const isHandshake = transportFailure !== "" && line.peerPrincipal === undefined && line.upstreamHost === undefined;
  const isKeptOut = NO_CHAIN.test(details) || /\bNR\b/.test(flags) || (isHandshake && direction !== "outbound" && !/\bUF\b/.test(flags));
  const listener = table.listener(line);
  const chain = table.filterChain(line);
  const place = chain ?? (listener && { resource: listener, path: "" });
  const words = [transportFailure, details, terminationDetails, flags].filter((text) => text !== "").join(", ");
  if (isKeptOut) return { line, because: refusedConnection(place), detail: words, ...(place && { place }) };
  if (!/\b(UF|UH|NC|UO|UC|URX)\b/.test(flags)) return undefined;
  return { line, because: place === undefined ? [] : originsOf(place), detail: words, ...(place && { place }) };
}

/** Who keeps a connection out: a PeerAuthentication for a workload, or the profile; a gateway's own resources elsewhere. */
export function refusedConnection(place: Place | undefined): Because {
  if (place === undefined) return [];
  if (!isInbound(place.resource)) return originsOf(place);
  const own = (place.resource.origins.get("") ?? []).filter(({ ref }) => ref.kind === "PeerAuthentication");
  return own.length > 0 ? own : ["Profile/zero-trust"];
}

function isInbound({ message }: EnvoyResource): boolean {
  return (message as Listener).trafficDirection === TrafficDirection.INBOUND;
}

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}
