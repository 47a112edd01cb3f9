import { type IncomingHttpHeaders, request } from "node:http";
import { until } from "./until.ts";

export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request to a port of the loopback, on a connection of its own. */
export function sendLocal(port: number, path: string, headers: Readonly<Record<string, string>> = {}): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, headers, agent: false }, (answer) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => (body += chunk));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

/** Waits until the answer is as wanted: a listener opens a moment after Envoy has taken it, and an old one serves until then. */
export function untilAnswered(port: number, path: string, wanted: (reply: HttpReply) => boolean = () => true): Promise<HttpReply> {
  return until(`an answer on port ${port}`, async () => {
    const reply = await sendLocal(port, path).catch(() => undefined);
    return reply !== undefined && wanted(reply) ? reply : undefined;
  });
}
