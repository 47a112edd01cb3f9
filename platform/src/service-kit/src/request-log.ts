import { LogController } from "fastify";
import type { FastifyReply, FastifyRequest } from "fastify";

/** One line a request, when it has ended: what was asked, the answer's status, and how long it took. */
export class RequestLog extends LogController {
  override incomingRequest(): void {
    // Said at the end, with the rest.
  }

  override requestCompleted(error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    const line = { req: request, res: reply, responseTime: reply.elapsedTime };
    if (error) reply.log.error({ ...line, err: error }, "request errored");
    else reply.log.info(line, "request completed");
  }
}
