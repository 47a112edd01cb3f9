import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { chmodSync, rmSync } from "node:fs";
import { once } from "node:events";
import { MeshError } from "../model/error.ts";
import { readAdmin } from "./admin-relay.ts";
import type { OpenWork } from "../model/open-work.ts";
import { type ProxySpec, readProxySpec, SpecError } from "./proxy-spec.ts";
import type { ProxyStatus } from "./workload-proxy.ts";

/** What the control API does; the agent brings it. */
export interface ControlActions {
  put(spec: ProxySpec): Promise<ProxyStatus>;
  /** Sends a proxy's clients away while it goes on serving. False where its Envoy doesn't answer; undefined where there is no such proxy. */
  drain(namespace: string, name: string): Promise<boolean | undefined>;
  /** What is open in a proxy; undefined where there is no such proxy. */
  readOpenWork(namespace: string, name: string): Promise<OpenWork | "unknown" | undefined>;
  /** Ends a proxy at once. False where there is no such proxy. */
  remove(namespace: string, name: string): Promise<boolean>;
  list(): readonly ProxyStatus[];
  adminSocket(namespace: string, name: string): string | undefined;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly raw?: { readonly contentType: string; readonly bytes: Buffer };
}

const MAX_BODY_BYTES = 1024 * 1024;
const SEGMENT = /^[a-z0-9][a-z0-9.-]{0,252}$/;

/** Serves the agent's control API on a Unix socket of mode 0600; who may open it is trusted with all workloads of this machine. */
export async function serveControl(socketPath: string, actions: ControlActions): Promise<Server> {
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000, maxHeaderSize: 16_384 }, (request, response) => {
    answer(request, actions)
      .catch(toError)
      .then((result) => send(response, result))
      .catch(() => response.destroy());
  });
  rmSync(socketPath, { force: true });
  const mask = process.umask(0o177);
  try {
    server.listen(socketPath);
  } finally {
    process.umask(mask);
  }
  await once(server, "listening");
  chmodSync(socketPath, 0o600);
  return server;
}

async function answer(request: IncomingMessage, actions: ControlActions): Promise<Answer> {
  const url = new URL(request.url ?? "/", "http://agent");
  const [root, namespace, name, part, ...rest] = url.pathname.split("/").slice(1);
  if (root !== "proxies" || rest.length > 0) return failure(404, "there is no such path");
  if (namespace === undefined)
    return request.method === "GET" ? { status: 200, body: { items: actions.list() } } : failure(405, "only GET");
  if (name === undefined || !SEGMENT.test(namespace) || !SEGMENT.test(name)) return failure(404, "the path is /proxies/NAMESPACE/NAME");
  if (part === "admin" && request.method === "GET") return await readPage(actions, namespace, name, url.searchParams.get("path") ?? "");
  if (part === "drain" && request.method === "POST") return toAnswer(await actions.drain(namespace, name));
  if (part === "open" && request.method === "GET") return toAnswer(await actions.readOpenWork(namespace, name));
  if (part !== undefined) return failure(404, "there is no such path");
  switch (request.method) {
    case "PUT":
      return { status: 200, body: await actions.put(readProxySpec(namespace, name, JSON.parse(await readBody(request)))) };
    case "DELETE":
      return (await actions.remove(namespace, name)) ? { status: 200, body: {} } : failure(404, "there is no such proxy");
    case "GET": {
      const found = actions.list().find((status) => status.namespace === namespace && status.name === name);
      return found === undefined ? failure(404, "there is no such proxy") : { status: 200, body: found };
    }
    default:
      return failure(405, "only GET, PUT and DELETE");
  }
}

/** What an Envoy said; it may be away, and there may be none. */
function toAnswer(said: OpenWork | "unknown" | boolean | undefined): Answer {
  if (said === undefined) return failure(404, "there is no such proxy");
  if (said === "unknown" || said === false) return failure(502, "Envoy's admin does not answer");
  return { status: 200, body: said === true ? {} : said };
}

async function readPage(actions: ControlActions, namespace: string, name: string, path: string): Promise<Answer> {
  const socket = actions.adminSocket(namespace, name);
  if (socket === undefined) return failure(404, "there is no such proxy");
  const { status, body, contentType } = await readAdmin(socket, path);
  return { status, body: undefined, raw: { contentType, bytes: body } };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) throw new SpecError(`the body may have ${MAX_BODY_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function toError(thrown: unknown): Answer {
  if (thrown instanceof SpecError) return failure(400, thrown.message);
  if (thrown instanceof SyntaxError) return failure(400, "the body is not JSON");
  const error = MeshError.from(thrown);
  const status = error.code === "usage" ? 400 : error.code === "network" ? 502 : error.code === "refused" ? 403 : 500;
  return failure(status, error.message, error.help);
}

function failure(status: number, message: string, help?: string): Answer {
  return { status, body: { error: message, ...(help !== undefined && { help }) } };
}

function send(response: ServerResponse, { status, body, raw }: Answer): void {
  const bytes = raw?.bytes ?? Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(status, { "content-type": raw?.contentType ?? "application/json", "content-length": bytes.length });
  response.end(bytes);
}
