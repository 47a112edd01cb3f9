import { answerBy, receiveBytes } from "./application.ts";
import type { Connection, ServerCertificate } from "./connection.ts";
import type { MeshView, Target } from "./decision.ts";
import { type Branch, ends, type Site, type Trail } from "./trail.ts";

/** From a sidecar to its own application. */
export function reachOwnApplication(site: Site, connection: Connection & { readonly peer?: string }, trail: Trail): readonly Branch[] {
  return reach(site.view, site.workload, connection, trail);
}

/** The connection as the program at its end takes it. */
export function reach(
  view: MeshView,
  target: Target,
  connection: Connection & { readonly peer?: string },
  trail: Trail,
): readonly Branch[] {
  const { port } = connection.destination;
  const { stream, peer } = connection;
  // The mesh's own TLS may stand around the application's: its peer is known either way.
  const known = peer === undefined ? {} : { peer };
  if (view.listensOn?.(target, port) === false) return ends(trail, { kind: "refused", because: [] });
  const tls = view.tlsOf?.(target, port);
  if (stream.kind === "tls") {
    // A server that knows no TLS sends no certificate: the client gives up.
    if (tls === undefined) return ends(trail, { kind: "closed", phase: "connect", because: [] });
    const certificate: ServerCertificate = { authority: "outside", uris: [], dns: tls.names };
    if (stream.hello.verify?.(certificate) !== undefined) return ends(trail, { kind: "closed", phase: "connect", because: [] });
    return deliver(view, target, { port, stream: stream.inside, tls: true, ...known }, trail);
  }
  if (tls !== undefined) return ends(trail, { kind: "closed", phase: "later", because: [] });
  return deliver(view, target, { port, stream, tls: false, ...known }, trail);
}

interface Delivery {
  readonly port: number;
  readonly stream: Connection["stream"];
  readonly tls: boolean;
  readonly peer?: string;
}

function deliver(view: MeshView, target: Target, { port, stream, tls, peer }: Delivery, trail: Trail): readonly Branch[] {
  const known = { to: target, port, tls, ...(peer !== undefined && { principal: peer }) };
  // Within one TLS another one was meant for somebody who isn't there: its client gives up.
  if (tls && stream.kind === "tls") return ends(trail, { kind: "closed", phase: "later", because: [] });
  // A greeting is no HTTP: who speaks that gives up. No codec of HTTP/2 takes a host that is there and empty.
  const isNameless = stream.kind === "http" && stream.message.version === "http2" && stream.message.authority === "";
  if (isNameless || (stream.kind === "http" && view.speaksFirst?.(target, port) === true))
    return ends(trail, { kind: "closed", phase: "later", because: [], error: "protocol" });
  return stream.kind === "http" ? answerBy(view, stream.message, known, trail) : receiveBytes(known, trail);
}
