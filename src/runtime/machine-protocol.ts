/**
 * How the machine (inside the namespaces) and the host process speak: over Unix sockets, which cross network namespaces. Each connection
 * begins with one line of JSON that says what it is; then it carries the bytes of one TCP connection, untouched.
 *
 * - to `host.sock`, from the machine: `{"kind":"relay","host":"db.example.com","port":5432}`: the host dials the real address.
 * - to `machine.sock`, from the host: `{"kind":"publish","namespace":"istio-system","deployment":"gateway","port":8443}`: the machine dials a
 *   ready pod.
 *
 * The other side answers with the byte `+` when it has dialled; a connection that ends without it couldn't be dialled, and is reset (a Unix
 * socket knows no reset, so that one in the middle of a connection arrives as an end). The machine's standard input is a pipe that the host holds open: its end is the machine's end.
 */
import type { Socket } from "node:net";

export type Hello =
  | { readonly kind: "relay"; readonly host: string; readonly port: number }
  | { readonly kind: "publish"; readonly namespace: string; readonly deployment: string; readonly port: number };

export const HOST_SOCKET = "host.sock";
export const MACHINE_SOCKET = "machine.sock";

const MAX_LINE = 1024;
const PATIENCE_MS = 10_000;

export function formatHello(hello: Hello): string {
  return `${JSON.stringify(hello)}\n`;
}

/** Reads the first line and leaves the rest of the bytes in the socket; undefined when it is no hello, too long or late. */
export function readHello(socket: Socket): Promise<Hello | undefined> {
  return new Promise((resolve) => {
    let line = Buffer.alloc(0);
    const timer = setTimeout(() => done(undefined), PATIENCE_MS);
    const done = (hello: Hello | undefined) => {
      clearTimeout(timer);
      socket.off("readable", read);
      socket.off("close", closed);
      resolve(hello);
    };
    const closed = () => done(undefined);
    const read = () => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
        const end = chunk.indexOf(0x0a);
        line = Buffer.concat([line, end < 0 ? chunk : chunk.subarray(0, end)]);
        if (line.length > MAX_LINE) return done(undefined);
        if (end < 0) continue;
        if (end + 1 < chunk.length) socket.unshift(chunk.subarray(end + 1));
        return done(parseHello(line.toString("utf8")));
      }
    };
    socket.on("readable", read);
    socket.once("close", closed);
    socket.on("error", () => {});
  });
}

export const ACCEPTED = "+";

/** Longer than the other side may take to dial. */
const ACCEPTANCE_MS = 15_000;

/** Waits for the first byte of the answer and leaves the rest in the socket; false when the connection ends, says something else or is late. */
export function readAcceptance(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => done(false), ACCEPTANCE_MS);
    const done = (accepted: boolean) => {
      clearTimeout(timer);
      socket.off("readable", read).off("close", ended).off("end", ended);
      resolve(accepted);
    };
    const ended = () => done(false);
    const read = () => {
      const byte = socket.read(1) as Buffer | null;
      if (byte !== null) done(byte.toString("latin1") === ACCEPTED);
    };
    socket.on("readable", read).once("close", ended).once("end", ended);
  });
}

function parseHello(line: string): Hello | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { kind, host, port, namespace, deployment } = value as Readonly<Record<string, unknown>>;
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  if (kind === "relay" && typeof host === "string") return { kind, host, port };
  if (kind === "publish" && typeof namespace === "string" && typeof deployment === "string") return { kind, namespace, deployment, port };
  return undefined;
}
