import type { IncomingHttpHeaders } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";

/** The names under which the API is reached. */
export type ApiHost = "user.example.com" | "video.example.com" | "chat.example.com";

export interface Call {
  readonly host: ApiHost;
  readonly path: string;
  readonly method?: "GET" | "POST" | "PUT" | "PATCH";
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: Uint8Array;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The platform as its clients reach it, on this machine. */
export interface Gateway {
  readonly call: (call: Call) => Promise<Answer>;
  /** A TLS connection for something else than requests. */
  readonly connect: (host: ApiHost) => TLSSocket;
  close(): void;
}

export interface GatewayOptions {
  readonly port: number;
  /** PEM of the authority that signed what it shows. */
  readonly ca: string;
  readonly timeoutMs?: number;
}

const ADDRESS = "127.0.0.1";
/** To each name; more than the platform is made for, so that it is not this side that queues. */
const MAX_CONNECTIONS = 512;

/** Connections are kept and used again, as browsers do. Loopback only: this is no tool for somebody else's machine. */
export function openGateway({ port, ca, timeoutMs = 15_000 }: GatewayOptions): Gateway {
  const secureContext = createSecureContext({ ca });
  // A last-in connection is taken first, so that no more are kept than are needed.
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS, scheduling: "lifo", timeout: 60_000 });
  return {
    call: (call) => send(call, { port, agent, secureContext, timeoutMs }),
    connect: (host) => connect({ host: ADDRESS, port, servername: host, secureContext, ALPNProtocols: ["http/1.1"] }),
    close: () => agent.destroy(),
  };
}

interface Line {
  readonly port: number;
  readonly agent: Agent;
  readonly secureContext: SecureContext;
  readonly timeoutMs: number;
}

function send(call: Call, { port, agent, secureContext, timeoutMs }: Line): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const body = call.json === undefined ? call.body : JSON.stringify(call.json);
  const headers: Record<string, string | number> = { ...call.headers, host: call.host };
  if (call.token !== undefined) headers["authorization"] = `Bearer ${call.token}`;
  if (call.json !== undefined) headers["content-type"] = "application/json";
  if (body !== undefined) headers["content-length"] = Buffer.byteLength(body);
  const { host, path, method = "GET" } = call;
  const target = { host: ADDRESS, port, servername: host, path, method, headers, agent, secureContext };
  const request = httpsRequest(target, (response) => {
    const parts: Buffer[] = [];
    response.on("data", (part: Buffer) => parts.push(part));
    response.on("error", reject);
    response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }));
  });
  // Of the whole exchange: a connection that is silent in the middle of an answer hangs too.
  const late = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  request.on("error", reject);
  request.on("close", () => {
    clearTimeout(late);
    reject(new Error("the connection was closed"));
  });
  request.end(body);
  return promise;
}
