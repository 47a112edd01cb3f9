import type { ApplicationAnswer, ApplicationRequest, MeshView, Received, Target } from "./decision.ts";
import { type HttpMessage, isGrpc, isWebSocket, readLines } from "./http-message.ts";
import { type Branch, ends, type Trail } from "./trail.ts";

interface Reached {
  readonly to: Target;
  readonly port: number;
  readonly tls: boolean;
  readonly principal?: string;
}

/** A request has arrived: what the application got, and what it answers. */
export function answerBy(view: MeshView, message: HttpMessage, { to, port, tls, principal }: Reached, trail: Trail): readonly Branch[] {
  const protocol = message.version === "http2" && isGrpc(message) ? "grpc" : message.version;
  const { method, authority, path } = message;
  const headers = message.headers.filter(([name]) => !message.generated.includes(name));
  const { checks, body } = message;
  const asked: ApplicationRequest = {
    to,
    port,
    method,
    authority,
    path,
    protocol,
    headers,
    attempt: trail.arrivedMs.length + 1,
    ...(body !== undefined && { body }),
    ...(checks !== undefined && { checks }),
  };
  const answer: ApplicationAnswer = view.answerOf?.(asked) ?? { status: isWebSocket(message) ? 101 : 200 };
  const received: Received = {
    method,
    authority,
    path,
    protocol,
    headers,
    generatedHeaders: message.generated,
    tls,
    ...(principal !== undefined && { principal }),
  };
  // Only HTTP/2 has trailers, where a gRPC status stands.
  const isRead = message.version === "http2" && isGrpc(message);
  const grpcStatus = isRead ? (answer.grpcStatus ?? (answer.status === 200 ? "OK" : undefined)) : undefined;
  return ends(
    { ...arrived(trail), delayMs: trail.delayMs + (answer.delayMs ?? 0) },
    {
      kind: "response",
      because: [],
      reply: {
        status: answer.status,
        by: "application",
        to,
        received,
        headers: readLines(answer.headers ?? []),
        ...(answer.body !== undefined && { body: hasBody(answer, method) ? answer.body : "" }),
        ...(grpcStatus !== undefined && { grpcStatus }),
      },
    },
  );
}

/** What answers HEAD has no body, nor has an answer that says so by its status (RFC 9110, section 6.4.1). */
function hasBody({ status }: ApplicationAnswer, method: string): boolean {
  return method !== "HEAD" && status !== 204 && status !== 304;
}

function arrived(trail: Trail): Trail {
  return { ...trail, arrivedMs: [...trail.arrivedMs, trail.delayMs] };
}

/** A connection carries data both ways. */
export function receiveBytes({ to, tls, principal }: Reached, trail: Trail): readonly Branch[] {
  return ends(arrived(trail), { kind: "open", to, tls, because: [], ...(principal !== undefined && { principal }) });
}
