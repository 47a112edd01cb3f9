import { request } from "node:http";

// oxlint-disable-next-line typescript/no-explicit-any -- an answer has whatever shape the test then asserts
type Json = any;

export interface Call {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** One HTTP request over a Unix socket. */
export function callSocket(
  socketPath: string,
  path: string,
  { method = "GET", body, headers = {} }: Call = {},
): Promise<{ readonly code: number; readonly body: Json; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath,
        path,
        method,
        headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => {
          const text = Buffer.concat(parts).toString();
          resolve({ code: response.statusCode ?? 0, body: text === "" ? undefined : JSON.parse(text), text });
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body));
  });
}
