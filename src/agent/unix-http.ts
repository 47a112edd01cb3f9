import { request } from "node:http";

export interface HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
  readonly contentType: string;
}

const DEFAULT_TIMEOUT_MS = 5000;
const DEFAULT_MAX_BYTES = 256 * 1024 * 1024;

/** One HTTP request over a Unix socket. Rejects where nobody listens, after the time limit, and above the size limit. */
export function requestOverSocket(
  socketPath: string,
  path: string,
  options: { readonly method?: string; readonly timeoutMs?: number; readonly maxBytes?: number } = {},
): Promise<HttpAnswer> {
  const { method = "GET", timeoutMs = DEFAULT_TIMEOUT_MS, maxBytes = DEFAULT_MAX_BYTES } = options;
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on("data", (part: Buffer) => {
        size += part.length;
        if (size > maxBytes) sent.destroy(new Error("the answer is too large"));
        else parts.push(part);
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts), contentType: response.headers["content-type"] ?? "" }),
      );
    });
    sent.on("error", reject);
    sent.end();
  });
}
