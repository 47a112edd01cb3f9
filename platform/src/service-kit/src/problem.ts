import { isDatabaseAway } from "./database-away.ts";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/** An error as the client is told of it (RFC 9457). */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly title: string;
  readonly errors: readonly FieldError[] | undefined;

  constructor(status: number, title: string, options: { detail?: string; errors?: readonly FieldError[]; cause?: unknown } = {}) {
    super(options.detail ?? title, { cause: options.cause });
    this.status = status;
    this.title = title;
    this.errors = options.errors;
  }
}

/** One field that does not fit: a JSON pointer into the part of the request, and what was expected. */
export interface FieldError {
  readonly in: string;
  readonly pointer: string;
  readonly detail: string;
}

interface ValidationError {
  readonly validation: readonly { readonly instancePath: string; readonly message?: string }[];
  readonly validationContext?: string;
}

/** Answers every error, and every path that is not there, as `application/problem+json`. */
export function answerWithProblems(server: FastifyInstance): void {
  server.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    if (problem.status >= 500) request.log.error({ err: error }, problem.title);
    return send(reply, request, problem);
  });
  server.setNotFoundHandler((request, reply) => send(reply, request, new Problem(404, "Not found")));
}

/** What broke inside stays inside: the client gets a 500 without its message. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (isResponseError(error)) return new Problem(500, "Internal server error", { cause: error });
  if (isValidationError(error)) {
    const where = error.validationContext ?? "request";
    const errors = error.validation.map((one) => ({ in: where, pointer: one.instancePath, detail: one.message ?? "does not fit" }));
    return new Problem(400, "The request does not fit the API", { errors, cause: error });
  }
  if (isUnstorableText(error))
    return new Problem(400, "Bad request", { detail: "a text holds characters that can't be stored", cause: error });
  if (isDatabaseAway(error)) return new Problem(503, "Service unavailable", { detail: "try again in a moment", cause: error });
  const status = statusOf(error);
  if (status !== undefined && status >= 400 && status < 500) {
    return new Problem(status, error instanceof Error ? error.message : "Bad request", { cause: error });
  }
  return new Problem(500, "Internal server error", { cause: error });
}

function send(reply: FastifyReply, request: FastifyRequest, problem: Problem): FastifyReply {
  const body = {
    type: "about:blank",
    title: problem.title,
    status: problem.status,
    ...(problem.message !== problem.title && { detail: problem.message }),
    instance: request.id,
    ...(problem.errors !== undefined && { errors: problem.errors }),
  };
  if (problem.status === 503) reply.header("retry-after", "1");
  // Serialised here: the route's own response schemas describe its successes.
  return reply.code(problem.status).type("application/problem+json").serializer(JSON.stringify).send(body);
}

/** Our own answer did not fit the API: not the client's fault. */
function isResponseError(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("FST_RESPONSE_VALIDATION");
}

/** PostgreSQL's text has no NUL. */
function isUnstorableText(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "22021";
}

function isValidationError(error: unknown): error is Error & ValidationError {
  return error instanceof Error && "validation" in error && Array.isArray(error.validation);
}

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number" ? error.statusCode : undefined;
}
