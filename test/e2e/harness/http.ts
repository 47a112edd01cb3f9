import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { onTestFinished } from "vitest";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A list sends the header several times. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[]>>;

export interface HttpCall {
  readonly method?: string;
  readonly headers?: RequestHeaders;
  readonly body?: string;
  /** Where to connect, whatever the URL's host says. */
  readonly port: number;
  /** PEM of the authority that must have signed what an https server shows. */
  readonly ca?: string;
  /** The address that the connection comes from. */
  readonly from?: string;
  /** How long an answer may take; 15 s by default. */
  readonly patienceMs?: number;
}

/** One request on a connection of its own to 127.0.0.1; the URL gives host, SNI and the path, which is sent as it is written. */
export function http(url: string, call: HttpCall): Promise<HttpAnswer> {
  const { hostname, host, protocol } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const secure = protocol === "https:";
  const { patienceMs = 15_000 } = call;
  const options = {
    host: "127.0.0.1",
    port: call.port,
    path: url.replace(/^https?:\/\/[^/?]*/, "") || "/",
    method: call.method ?? "GET",
    headers: { host, ...call.headers },
    agent: false,
    timeout: patienceMs,
    ...(call.from !== undefined && { localAddress: call.from }),
    ...(secure && { servername: hostname, ...(call.ca !== undefined && { ca: call.ca }) }),
  };
  const sent = (secure ? httpsRequest : httpRequest)(options, (response) => {
    const parts: Buffer[] = [];
    response.on("data", (part: Buffer) => parts.push(part));
    response.on("end", () =>
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts).toString("utf8") }),
    );
    response.on("error", reject);
  });
  sent.on("timeout", () => sent.destroy(new Error(`no answer within ${patienceMs / 1000} s`)));
  sent.on("error", reject);
  sent.end(call.body);
  return promise;
}

export interface Load {
  /** Answers so far. */
  total(): number;
  stop(): Promise<{ readonly byStatus: Readonly<Record<string, number>>; readonly total: number }>;
}

/** Sends requests one after another on several connections until told to stop, or until the test ends; counts answers by status. */
export function keepRequesting(send: () => Promise<HttpAnswer>, concurrency = 4): Load {
  const byStatus: Record<string, number> = {};
  let stopped = false;
  onTestFinished(() => {
    stopped = true;
  });
  const loops = Array.from({ length: concurrency }, async () => {
    while (!stopped) {
      const key = await send().then(
        ({ status }) => String(status),
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      );
      byStatus[key] = (byStatus[key] ?? 0) + 1;
    }
  });
  const total = () => Object.values(byStatus).reduce((sum, count) => sum + count, 0);
  return {
    total,
    async stop() {
      stopped = true;
      await Promise.all(loops);
      return { byStatus, total: total() };
    },
  };
}
