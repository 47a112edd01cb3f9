import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { MeshError } from "../model/error.ts";
import { kinds } from "../schema/kinds.ts";
import type { AdminBackend } from "./backend.ts";
import { readDocument } from "./body.ts";
import { discover } from "./discovery.ts";
import { readMesh, writeMesh } from "./mesh-routes.ts";
import { parsePath, type Target } from "./path.ts";
import { type Answer, create, list, read, remove, update } from "./resources.ts";
import { type Reason, Refusal } from "./status-object.ts";

const HEADER_LIMIT_BYTES = 16 * 1024;
const CONNECTION_LIMIT = 128;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const IDLE_TIMEOUT_MS = 5_000;

export interface AdminOptions {
  /** Path of the Unix socket; its folder exists and is 0700. */
  readonly socket: string;
  readonly backend: AdminBackend;
  /** What failed for a reason that is not the caller's. */
  readonly report: (error: Error) => void;
}

export interface AdminServer {
  close(): Promise<void>;
}

/**
 * Serves the admin API on a Unix socket that only its owner may open. A socket that a dead process left is replaced; one that answers is
 * not, and refuses with a `refused` MeshError.
 */
export async function startAdmin({ socket, backend, report }: AdminOptions): Promise<AdminServer> {
  await removeDeadSocket(socket);
  const server = createServer(
    {
      maxHeaderSize: HEADER_LIMIT_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      // Node's own answer to a request without one has no body.
      requireHostHeader: false,
    },
    (request, response) => void handle(backend, request, response, report),
  );
  server.maxConnections = CONNECTION_LIMIT;
  server.on("clientError", answerNoRequest);
  server.on("connect", (_, tunnel: Duplex) => tunnel.end(statusText(new Refusal("MethodNotAllowed", "CONNECT is not for this server"))));
  server.on("checkExpectation", (_, response: ServerResponse) =>
    send(response, toFailure(new Refusal("ExpectationFailed", "only Expect: 100-continue is known"), report)),
  );
  await listen(server, socket);
  chmodSync(socket, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new MeshError("io", `can't listen on ${socket}`, { cause: error })));
    server.listen(socket, resolve);
  });
}

async function removeDeadSocket(socket: string): Promise<void> {
  if (lstatSync(socket, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const answers = await new Promise<boolean>((resolve) => {
    const probe = connect(socket);
    probe.once("connect", () => resolve(true)).once("error", () => resolve(false));
    probe.once("connect", () => probe.destroy());
  });
  if (answers) throw new MeshError("refused", `another control plane answers on ${socket}`, { help: "kumiko down" });
  unlinkSync(socket);
}

async function handle(
  backend: AdminBackend,
  request: IncomingMessage,
  response: ServerResponse,
  report: (error: Error) => void,
): Promise<void> {
  const answer = await answerTo(backend, request).catch((thrown: unknown) => toFailure(thrown, report));
  if (response.headersSent || response.destroyed) return;
  send(response, answer);
  // A caller that still writes reads no answer before it is done: the rest of a body that was refused is thrown away, until the timeout.
  if (!request.complete) request.resume();
}

function send(response: ServerResponse, answer: Answer): void {
  const { req: request } = response;
  const body = JSON.stringify(answer.body);
  response.writeHead(answer.code, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    ...(!request.complete && { connection: "close" }),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

/** What Node's parser refuses, or what takes too long to come, is answered in the form of every other refusal. */
function answerNoRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  socket.end(statusText(new Refusal(...(PARSER_REFUSALS[error.code ?? ""] ?? NOT_HTTP))));
}

const NOT_HTTP = ["BadRequest", "the request is not HTTP/1.1"] as const;
const PARSER_REFUSALS: Readonly<Record<string, readonly [Reason, string]>> = {
  HPE_HEADER_OVERFLOW: ["RequestHeaderFieldsTooLarge", `the headers are longer than ${HEADER_LIMIT_BYTES} bytes`],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["RequestEntityTooLarge", "the extensions of a chunk are too long"],
  ERR_HTTP_REQUEST_TIMEOUT: ["RequestTimeout", "the request did not come in time"],
};

function statusText({ status }: Refusal): string {
  const body = JSON.stringify(status);
  return [
    `HTTP/1.1 ${status.code} ${STATUS_CODES[status.code] ?? ""}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
    `\r\n${body}`,
  ].join("\r\n");
}

async function answerTo(backend: AdminBackend, request: IncomingMessage): Promise<Answer> {
  const url = request.url ?? "/";
  const target = parsePath(url, kinds);
  const query = new URLSearchParams(url.includes("?") ? url.slice(url.indexOf("?") + 1) : "");
  switch (request.method) {
    case "GET":
    case "HEAD":
      return answerGet(backend, target, query);
    case "POST":
      if (target.kind === "collection") return create(backend, target, await readDocument(request));
      if (target.kind === "mesh") return writeMesh(backend, target.path, await readDocument(request));
      break;
    case "PUT":
      if (target.kind === "resource") return update(backend, target, await readDocument(request));
      break;
    case "DELETE":
      if (target.kind === "resource") return remove(backend, target);
      break;
    default:
  }
  throw new Refusal("MethodNotAllowed", `${request.method} is not for this path`);
}

async function answerGet(backend: AdminBackend, target: Target, query: URLSearchParams): Promise<Answer> {
  switch (target.kind) {
    case "discovery":
      return { code: 200, body: discover(target.path, kinds, backend.status().version) };
    case "collection":
      if (query.get("watch") === "true" || query.get("watch") === "1")
        throw new Refusal("BadRequest", "watching is not offered yet: list again");
      return list(backend, target, query);
    case "resource":
      return read(backend, target);
    case "mesh":
      return readMesh(backend, target.path);
  }
}

/** The caller sees what it did wrong; of our own faults it sees that there was one, and the log has the rest. */
function toFailure(thrown: unknown, report: (error: Error) => void): Answer {
  if (thrown instanceof Refusal) return { code: thrown.status.code, body: thrown.status };
  const error = MeshError.from(thrown);
  report(error);
  const message = error.code === "bug" ? "the control plane failed at this; its log says why" : error.message;
  const { status } = new Refusal(error.code === "bug" ? "InternalError" : "ServiceUnavailable", message);
  return { code: status.code, body: status };
}
