import { request } from "node:http";
import { MeshError } from "../model/error.ts";

export interface AdminAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  /** Parsed where it is JSON, else the text. */
  readonly body: unknown;
}

export interface AdminRequest {
  readonly method?: "GET" | "PUT" | "POST" | "DELETE" | undefined;
  readonly body?: unknown;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const MAX_ANSWER_BYTES = 512 * 1024 * 1024;

/**
 * Asks an HTTP API on a Unix socket.
 *
 * @throws MeshError `network` where nobody listens, `timeout` where the answer does not come in time.
 */
export function ask(socketPath: string, path: string, options: AdminRequest = {}): Promise<AdminAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<AdminAnswer>();
  const timeoutMs = options.timeoutMs ?? 10_000;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  const text = options.body === undefined ? undefined : JSON.stringify(options.body);
  const headers = text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  const fail = (error: unknown) =>
    reject(
      timeout.aborted
        ? new MeshError("timeout", `no answer within ${timeoutMs / 1000} s`, { help: "kumiko status", cause: error })
        : new MeshError("network", `${socketPath}: ${MeshError.from(error).message}`, { cause: error }),
    );
  const sent = request({ socketPath, path, method: options.method ?? "GET", agent: false, signal, headers }, (response) => {
    const parts: Buffer[] = [];
    let size = 0;
    response.on("data", (part: Buffer) => {
      size += part.length;
      if (size > MAX_ANSWER_BYTES) return void sent.destroy(new Error("the answer is too large"));
      parts.push(part);
    });
    response.on("error", fail);
    response.on("end", () => {
      const answer = Buffer.concat(parts).toString("utf8");
      const contentType = response.headers["content-type"] ?? "";
      resolve({ status: response.statusCode ?? 0, contentType, text: answer, body: parse(answer, contentType) });
    });
  });
  sent.on("error", fail);
  sent.end(text);
  return promise;
}

function parse(text: string, contentType: string): unknown {
  if (!contentType.includes("json")) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The message of a Kubernetes `Status`, the `error` of the agent's control API, or the answer's own text. */
export function messageOf({ status, body }: Pick<AdminAnswer, "status" | "body">): string {
  const { message, error } = (typeof body === "object" && body !== null ? body : {}) as {
    readonly message?: unknown;
    readonly error?: unknown;
  };
  for (const said of [message, error]) if (typeof said === "string") return said;
  return typeof body === "string" && body !== "" ? body : `answered ${status}`;
}
