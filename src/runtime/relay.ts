import { chmodSync, rmSync } from "node:fs";
import { connect, createServer, type LookupFunction, type Server, type Socket } from "node:net";
import { MeshError } from "../model/error.ts";
import { ACCEPTED, formatHello, type Hello, readAcceptance, readHello } from "./machine-protocol.ts";
import { reset, splice } from "./splice.ts";

/** Of one port: so many clients that only hold on leave the other ports what they need. */
const MAX_CONNECTIONS = 1024;
/** Of a Unix socket, where only our own listeners connect: theirs together. */
const MAX_PASSED_ON = 16_384;
const DIAL_MS = 10_000;

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly localAddress?: string;
  readonly lookup?: LookupFunction;
}

export interface Endpoint {
  close(): Promise<void>;
}

/** Listens on TCP and passes each connection on through the Unix socket at `path`, with a line that says what it is. */
export async function forwardToSocket(listen: Target, path: string, hello: Hello): Promise<Endpoint> {
  return serve({ host: listen.host, port: listen.port }, MAX_CONNECTIONS, (socket) => {
    const through = connect({ path, allowHalfOpen: true });
    const abandon = () => through.destroy();
    socket.once("close", abandon);
    through.on("error", () => reset(socket));
    through.write(formatHello(hello));
    void readAcceptance(through).then((accepted) => {
      socket.off("close", abandon);
      if (accepted) return splice(socket, through);
      reset(socket);
      through.destroy();
    });
  });
}

/** Listens on a Unix socket (0600) and dials for each connection what `find` says; what it doesn't know is reset. */
export async function dialFromSocket(path: string, find: (hello: Hello) => Target | undefined): Promise<Endpoint> {
  rmSync(path, { force: true });
  const endpoint = await serve({ path }, MAX_PASSED_ON, (socket) => {
    void readHello(socket).then((hello) => {
      const target = hello && find(hello);
      if (target === undefined) return reset(socket);
      const dialled = connect({ ...target, allowHalfOpen: true });
      const timer = setTimeout(() => dialled.destroy(), DIAL_MS);
      dialled.once("close", () => clearTimeout(timer));
      dialled.once("connect", () => {
        clearTimeout(timer);
        socket.write(ACCEPTED);
      });
      splice(socket, dialled);
    });
  });
  chmodSync(path, 0o600);
  return endpoint;
}

function serve(
  where: { readonly path: string } | { readonly host: string; readonly port: number },
  maxConnections: number,
  onConnection: (socket: Socket) => void,
): Promise<Endpoint> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    socket.on("error", () => {});
    onConnection(socket);
  });
  server.maxConnections = maxConnections;
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(toListenError(error, where)));
    server.listen(where, () => {
      server.removeAllListeners("error");
      server.on("error", () => {});
      resolve({ close: () => closeAll(server, open) });
    });
  });
}

function toListenError(
  error: NodeJS.ErrnoException,
  where: { readonly path: string } | { readonly host: string; readonly port: number },
): MeshError {
  const address = "path" in where ? where.path : `${where.host}:${where.port}`;
  const help = error.code === "EADDRINUSE" ? "end what listens there, or publish on another port in kumiko.yaml" : undefined;
  return new MeshError("io", `can't listen on ${address}: ${error.code ?? error.message}`, {
    cause: error,
    ...(help !== undefined && { help }),
  });
}

function closeAll(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of open) socket.destroy();
  });
}
