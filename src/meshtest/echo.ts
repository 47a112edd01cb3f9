import { grpcStatusOfHttp } from "../base/grpc-status.ts";
import type { ApplicationAnswer, ApplicationRequest } from "../evaluate/index.ts";

/**
 * What the echo application answers: 200, 101 to a WebSocket, or as the request asks. `x-echo-status: 503,503,200` is one after another for the attempts of one
 * call, the last one from then on; `x-echo-delay-ms` is how long it takes. The body is the request's; of gRPC and WebSockets, whose messages go both
 * ways, nothing is said of it here.
 */
export function answerOf({ headers: own, checks, protocol, attempt, body }: ApplicationRequest): ApplicationAnswer {
  const headers = checks ?? own;
  const statuses = (valueOf(headers, "x-echo-status") ?? "").split(",").map((text) => Number(text.trim()));
  const isWebSocket = valueOf(headers, "upgrade")?.toLowerCase() === "websocket";
  const asked = statuses[Math.min(attempt, statuses.length) - 1] ?? 0;
  const status = Number.isInteger(asked) && asked >= 200 && asked <= 599 ? asked : isWebSocket ? 101 : 200;
  const delayMs = Number(valueOf(headers, "x-echo-delay-ms") ?? 0);
  return {
    status,
    ...(protocol !== "grpc" && status !== 101 && { body: Buffer.from(body ?? "").toString("utf8") }),
    ...(Number.isFinite(delayMs) && delayMs > 0 && { delayMs }),
    ...(protocol === "grpc" && { grpcStatus: status < 400 ? "OK" : grpcStatusOfHttp(status) }),
  };
}

function valueOf(headers: ApplicationRequest["headers"], name: string): string | undefined {
  return headers.find(([own]) => own.toLowerCase() === name)?.[1];
}
