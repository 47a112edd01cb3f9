import type { IncomingMessage } from "node:http";
import Fastify, { type FastifyInstance } from "fastify";
import { traceIdOf } from "./forwarded-headers.ts";
import { addMetrics } from "./metrics.ts";
import { answerWithProblems } from "./problem.ts";
import { requestIdOf } from "./request-id.ts";
import { RequestLog } from "./request-log.ts";
import { addRequestScope } from "./request-scope.ts";
import { checkResponses } from "./response-check.ts";
import { addTracing } from "./trace-requests.ts";

export interface ServerOptions {
  readonly name: string;
  /** Shown in `x-service-version`, so that a canary's share can be seen from outside. */
  readonly version: string;
  readonly logLevel: string;
  /** Where log lines go; standard output when left out. */
  readonly logTo?: { write(line: string): void };
  /** How long a whole request may take to come in; longer where files are uploaded. */
  readonly requestTimeoutMs?: number;
}

/** A Fastify server as all services have it: structured logs without tokens, request ids, problems, limits, metrics, traces, checked responses. */
export function createServer(options: ServerOptions): FastifyInstance {
  const server = Fastify({
    logger: {
      level: options.logLevel,
      base: { service: options.name, version: options.version },
      // The request is logged by its method and path only: headers carry tokens, and a query may carry what is personal.
      serializers: {
        req: (request) => ({ method: request.method, path: request.url.split("?")[0] }),
        res: (reply) => ({ status: reply.statusCode }),
      },
      redact: {
        paths: [
          "authorization",
          "*.authorization",
          "headers",
          "*.headers",
          "password",
          "*.password",
          "connectionString",
          "*.connectionString",
        ],
      },
      ...(options.logTo !== undefined && { stream: options.logTo }),
    },
    logController: new RequestLog(),
    genReqId: (request: IncomingMessage) => requestIdOf(request.headers),
    // On every line of a request, so that a trace's lines are found.
    childLoggerFactory: (logger, bindings, childOptions, request) =>
      logger.child({ ...bindings, traceId: traceIdOf(request.headers) }, childOptions),
    bodyLimit: 64 * 1024,
    requestTimeout: options.requestTimeoutMs ?? 30_000,
    // Longer than the proxy in front keeps an idle connection, so that this side is never the one that closes it under a request.
    keepAliveTimeout: 3_700_000,
    ajv: { customOptions: { removeAdditional: false, allowUnionTypes: true } },
    routerOptions: { maxParamLength: 255 },
    return503OnClosing: false,
  });
  server.addHook("onRequest", async (request, reply) => {
    reply.headers({ "x-request-id": request.id, "x-service-version": options.version, "cache-control": "no-store" });
  });
  answerWithProblems(server);
  checkResponses(server);
  addTracing(server);
  addRequestScope(server);
  addMetrics(server);
  return server;
}
