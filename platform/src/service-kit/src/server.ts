import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import Fastify, { type FastifyInstance } from "fastify";
import { traceIdOf } from "./forwarded-headers.ts";
import { answerWithProblems } from "./problem.ts";

export interface ServerOptions {
  readonly name: string;
  /** Shown in `x-service-version`, so that a canary's share can be seen from outside. */
  readonly version: string;
  readonly logLevel: string;
  /** Where log lines go; standard output when left out. */
  readonly logTo?: { write(line: string): void };
}

const REQUEST_ID = /^[\w.:-]{1,128}$/;

/** A Fastify server as all services have it: structured logs without tokens, request ids, problems, limits. */
export function createServer(options: ServerOptions): FastifyInstance {
  const server = Fastify({
    logger: {
      level: options.logLevel,
      base: { service: options.name, version: options.version },
      // The request is logged by its method and path only: headers carry tokens, and a query may carry what is personal.
      serializers: {
        req: (request) => ({ method: request.method, path: request.url.split("?")[0], traceId: traceIdOf(request.headers) }),
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
    genReqId: requestIdOf,
    bodyLimit: 64 * 1024,
    requestTimeout: 30_000,
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
  return server;
}

function requestIdOf(request: IncomingMessage): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
}
