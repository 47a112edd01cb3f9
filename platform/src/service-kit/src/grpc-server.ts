import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  type ServiceDefinition,
  status,
} from "@grpc/grpc-js";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import { Histogram } from "prom-client";
import { traceIdOf } from "./forwarded-headers.ts";
import { toGrpcStatus } from "./grpc-status.ts";
import { toProblem } from "./problem.ts";
import { requestIdOf } from "./request-id.ts";
import { inRequestScope } from "./request-scope.ts";
import { endServerSpan, startServerSpan } from "./tracing.ts";

/** How long the other side may take to close a connection that it was told to leave. */
const CLOSE_MS = 1_000;

/** One method: gets the request and what came with it, returns the response or throws a Problem. */
export type GrpcHandler = (
  request: unknown,
  call: { readonly headers: IncomingHttpHeaders; readonly log: FastifyBaseLogger },
) => Promise<object>;

export interface GrpcServerOptions {
  readonly service: ServiceDefinition;
  readonly methods: Readonly<Record<string, GrpcHandler>>;
  /** Of the same process: its log, its metrics; the gRPC server ends with it. */
  readonly server: FastifyInstance;
}

/**
 * Serves one gRPC service in plaintext, for the proxy of this process. Errors are problems as over HTTP, logged and counted alike.
 *
 * @returns the port that it listens on.
 */
export async function startGrpcServer(options: GrpcServerOptions, port: number, host = "0.0.0.0"): Promise<number> {
  const grpc = new Server({ "grpc.max_receive_message_length": 64 * 1024, "grpc.max_concurrent_streams": 1_000 });
  const inFlight = new Set<Promise<void>>();
  grpc.addService(options.service, toHandlers(options, inFlight));
  const bound = await new Promise<number>((resolve, reject) =>
    grpc.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, number) =>
      error === null ? resolve(number) : reject(error),
    ),
  );
  options.server.addHook("onClose", () => drain(grpc, inFlight));
  return bound;
}

/** Takes no more calls, lets those in flight end, and cuts a connection that its other side keeps after that. */
async function drain(grpc: Server, inFlight: ReadonlySet<Promise<void>>): Promise<void> {
  const closed = new Promise<void>((resolve) => grpc.tryShutdown(() => resolve()));
  while (inFlight.size > 0) await Promise.allSettled(inFlight);
  const late = AbortSignal.timeout(CLOSE_MS);
  await Promise.race([closed, once(late, "abort")]);
  grpc.forceShutdown();
}

type Unary = (call: ServerUnaryCall<unknown, object>, callback: sendUnaryData<object>) => void;

function toHandlers({ service, methods, server }: GrpcServerOptions, inFlight: Set<Promise<void>>): Record<string, Unary> {
  const duration = new Histogram({
    name: "grpc_server_request_duration_seconds",
    help: "Time from a call's beginning to its answer",
    labelNames: ["method", "code"],
    registers: [server.metrics],
  });
  const entries = Object.entries(methods).map(([name, handler]): [string, Unary] => {
    const path = service[name]?.path;
    if (path === undefined) throw new Error(`no gRPC method "${name}"`);
    const unary: Unary = (call, callback) => {
      const done = answer({ path, handler, log: server.log, stop: duration.startTimer({ method: path }) }, call, callback).finally(() =>
        inFlight.delete(done),
      );
      inFlight.add(done);
    };
    return [name, unary];
  });
  return Object.fromEntries(entries);
}

interface Answering {
  readonly path: string;
  readonly handler: GrpcHandler;
  readonly log: FastifyBaseLogger;
  readonly stop: (labels: { code: string }) => number;
}

async function answer(
  { path, handler, log, stop }: Answering,
  call: ServerUnaryCall<unknown, object>,
  callback: sendUnaryData<object>,
): Promise<void> {
  const headers = headersOf(call.metadata);
  const span = startServerSpan(path.slice(1), headers, { "rpc.system": "grpc", "rpc.method": path });
  const child = log.child({ reqId: requestIdOf(headers), traceId: traceIdOf(headers), rpc: path });
  let code: number = status.OK;
  try {
    callback(null, await inRequestScope(headers, () => handler(call.request, { headers, log: child })));
  } catch (error) {
    const problem = toProblem(error);
    code = toGrpcStatus(problem);
    if (problem.status >= 500) child.error({ err: error }, problem.title);
    callback({ code, details: problem.status >= 500 ? problem.title : problem.message });
  }
  const seconds = stop({ code: status[code] ?? String(code) });
  endServerSpan(span, { "rpc.grpc.status_code": code }, code !== status.OK);
  child.info({ code: status[code], responseTime: Math.round(seconds * 1_000) }, "call completed");
}

function headersOf(metadata: Metadata): IncomingHttpHeaders {
  const entries = Object.entries(metadata.getMap()).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return Object.fromEntries(entries);
}
