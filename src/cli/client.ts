import { MeshError } from "../model/error.ts";
import type { GlobalOptions } from "./command.ts";
import { getMesh } from "./find-mesh.ts";
import type { Io } from "./io.ts";

/** Calls the admin API of a running mesh. A failure of the API becomes a MeshError with the API's own message. */
export interface Client {
  get<Body>(path: string): Promise<Body>;
  put<Body>(path: string, body: unknown): Promise<Body>;
  post<Body>(path: string, body: unknown): Promise<Body>;
  delete<Body>(path: string): Promise<Body>;
}

const TIMEOUT_MS = 30_000;
/** A dump of a very large proxy is some 100 MB; more is not an answer. */
const ANSWER_LIMIT_BYTES = 512 * 1024 * 1024;

/** The mesh named by `--socket` or KUMIKO_SOCKET, else the one that runs in or around `--dir` (the current folder). */
export function connectClient(options: Pick<GlobalOptions, "socket" | "dir">, io: Io): Client {
  const socket = options.socket ?? io.environment.socket ?? getMesh(options, io).record.adminSocket;
  const call = <Body>(method: string, path: string, body?: unknown) => send(socket, method, path, body) as Promise<Body>;
  return {
    get: (path) => call("GET", path),
    put: (path, body) => call("PUT", path, body),
    post: (path, body) => call("POST", path, body),
    delete: (path) => call("DELETE", path),
  };
}

async function send(socketPath: string, method: string, path: string, body: unknown): Promise<unknown> {
  // Costs more to load than all the rest of a command: not before there is somebody to ask.
  const { request } = await import("node:http");
  return new Promise((resolve_, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const outgoing = request({ socketPath, method, path, headers, agent: false, timeout: TIMEOUT_MS }, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on("data", (part: Buffer) => {
        bytes += part.length;
        if (bytes > ANSWER_LIMIT_BYTES) response.destroy(new MeshError("protocol", "the mesh's answer has no end"));
        else parts.push(part);
      });
      response.on("error", (error) => reject(unreachable(socketPath, error)));
      response.on("end", () => {
        try {
          resolve_(readAnswer(response.statusCode ?? 0, Buffer.concat(parts).toString("utf8")));
        } catch (error) {
          reject(error);
        }
      });
    });
    outgoing.on("timeout", () =>
      outgoing.destroy(new MeshError("timeout", `the mesh did not answer within ${TIMEOUT_MS / 1000} s`, { help: "kumiko status" })),
    );
    outgoing.on("error", (error) => reject(unreachable(socketPath, error)));
    outgoing.end(text);
  });
}

function unreachable(socket: string, error: Error): MeshError {
  if (error instanceof MeshError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ECONNREFUSED") {
    return new MeshError("network", `the mesh of ${socket} is not running`, {
      help: "kumiko up   (kumiko down first, where it was killed)",
      cause: error,
    });
  }
  if (code === "EACCES" || code === "EPERM") {
    return new MeshError("network", `${socket} belongs to another user`, {
      help: "run the command as the user who started the mesh",
      cause: error,
    });
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
