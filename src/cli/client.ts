import type { AdminRequest } from "../controlplane/admin-client.ts";
import { MeshError } from "../model/error.ts";
import type { GlobalOptions } from "./command.ts";
import { getMesh, howToStart } from "./find-mesh.ts";
import type { Io } from "./io.ts";

/** Calls the admin API of a running mesh. A failure of the API becomes a MeshError with the API's own message. */
export interface Client {
  get<Body>(path: string): Promise<Body>;
  put<Body>(path: string, body: unknown): Promise<Body>;
  post<Body>(path: string, body: unknown): Promise<Body>;
  delete<Body>(path: string): Promise<Body>;
}

const TIMEOUT_MS = 30_000;

/** The mesh named by `--socket` or KUMIKO_SOCKET, else the one that runs in or around `--dir` (the current folder). */
export function connectClient(options: Pick<GlobalOptions, "socket" | "dir">, io: Io): Client {
  const mesh = meshFor(options, io);
  const call = <Body>(method: AdminRequest["method"], path: string, body?: unknown) => send(mesh, method, path, body) as Promise<Body>;
  return {
    get: (path) => call("GET", path),
    put: (path, body) => call("PUT", path, body),
    post: (path, body) => call("POST", path, body),
    delete: (path) => call("DELETE", path),
  };
}

interface Addressee {
  readonly socket: string;
  /** Its folder, or the socket where only that is known. */
  readonly place: string;
  /** The command that starts it. */
  readonly start: string;
}

function meshFor(options: Pick<GlobalOptions, "socket" | "dir">, io: Io): Addressee {
  const named = options.socket ?? io.environment.socket;
  if (named !== undefined) return { socket: named, place: named, start: "kumiko up" };
  const { adminSocket, root } = getMesh(options, io).record;
  return { socket: adminSocket, place: root, start: howToStart(root, io.cwd) };
}

async function send(mesh: Addressee, method: AdminRequest["method"], path: string, body: unknown): Promise<unknown> {
  // Costs more to load than all the rest of a command: not before there is somebody to ask.
  const { ask } = await import("../controlplane/admin-client.ts");
  try {
    const { status, text } = await ask(mesh.socket, path, { method, body, timeoutMs: TIMEOUT_MS });
    return readAnswer(status, text);
  } catch (error) {
    throw error instanceof MeshError && error.code === "network" ? explain(mesh, error) : error;
  }
}

function explain({ socket, place, start }: Addressee, error: MeshError): MeshError {
  const { code } = (error.cause ?? {}) as { readonly code?: unknown };
  if (code === "ENOENT" || code === "ECONNREFUSED") {
    return new MeshError("network", `the mesh of ${place} is not running`, { help: start });
  }
  if (code === "EACCES" || code === "EPERM") {
    const help = "run the command as the user who started the mesh";
    return new MeshError("network", `${socket} belongs to another user`, { help, cause: error });
  }
  return new MeshError("network", "the connection to the mesh broke", { help: "kumiko status", cause: error });
}

interface FailureBody {
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly message: string; readonly field?: string }[] };
}

function readAnswer(code: number, text: string): unknown {
  const body = parseJson(text);
  if (code < 400) return body;
  const { message = `the mesh answered ${code}`, details } = (body ?? {}) as FailureBody;
  const causes = (details?.causes ?? []).map((cause) => cause.message).filter((cause) => !message.includes(cause));
  const full = [message, ...causes.map((cause) => `  ${cause}`)].join("\n");
  if (code === 404) throw new MeshError("not-found", full);
  if (code < 500) throw new MeshError("refused", full);
  throw new MeshError("protocol", full, { help: "kumiko status" });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MeshError("protocol", "the mesh's answer is not JSON", {
      help: "check that --socket names an admin socket of this version",
      cause,
    });
  }
}
