import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ClientOrder, ClientReport } from "../real/exchange.ts";

type WithoutTime<Report> = Report extends unknown ? Omit<Report, "elapsedMs"> : never;

/** A report before its time is known. */
export type Ending = WithoutTime<ClientReport>;

/** Opens the connection of an order, TLS included, or says how that ended. `opened` gets the socket at once, so that it can be given up. */
export async function openConnection(order: ClientOrder, opened: (socket: Socket) => void): Promise<Duplex | Ending> {
  const { destination, localAddress, tls } = order;
  const socket = connect({
    host: destination.address,
    port: destination.port,
    noDelay: true,
    ...(localAddress !== undefined && { localAddress }),
  });
  opened(socket);
  const failure = await withinTime(settled(socket, "connect"));
  if (failure !== undefined) return failure;
  return tls === undefined ? socket : secured(socket, tls);
}

/** Within one machine nothing takes so long: what is not answered then is dropped without a word. */
const CONNECT_MS = 5000;

async function withinTime(opening: Promise<Ending | undefined>): Promise<Ending | undefined> {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  const unanswered = () => resolve({ kind: "refused", detail: `no answer within ${CONNECT_MS} ms` });
  // After a pause of the program or its machine the time is over before an answer that came in it is told: that has its turn first.
  const timer = setTimeout(() => setImmediate(unanswered), CONNECT_MS);
  return Promise.race([opening, promise]).finally(() => clearTimeout(timer));
}

async function secured(socket: Socket, order: NonNullable<ClientOrder["tls"]>): Promise<Duplex | Ending> {
  const { sni, alpn, trustPem, chainPem, keyPem } = order;
  const tls = await import("node:tls");
  const stream = tls.connect({
    socket,
    ALPNProtocols: [...alpn],
    servername: sni ?? "",
    rejectUnauthorized: trustPem !== undefined,
    checkServerIdentity: (_host, certificate) => (sni === undefined ? undefined : tls.checkServerIdentity(sni, certificate)),
    ...(trustPem !== undefined && { ca: trustPem }),
    ...(chainPem !== undefined && { cert: chainPem }),
    ...(keyPem !== undefined && { key: keyPem }),
  });
  return (await settled(stream, "secureConnect")) ?? stream;
}

/** Waits for the event, or for how the connection failed before it. */
function settled(stream: Duplex, event: "connect" | "secureConnect"): Promise<Ending | undefined> {
  return new Promise((resolve, reject) => {
    stream.once(event, () => resolve(undefined));
    // It stays: an error that comes when nobody waits any more must not end the process.
    stream.on("error", (error) => {
      try {
        resolve(endingOf(error));
      } catch (ownFailure) {
        reject(ownFailure);
      }
    });
    stream.once("close", () => resolve(closed("the connection ended")));
  });
}

export function closed(detail: string): Ending {
  return { kind: "closed", detail };
}

const REFUSED: ReadonlySet<string> = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN"]);
const OWN_FAILURES: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EADDRINUSE", "EMFILE", "ENFILE", "EACCES", "EPERM", "EINVAL"]);
const PEER_ENDED: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED", "ENOTCONN"]);

/** What an error of a socket means. @throws where it is the client's own failure */
export function endingOf(error: NodeJS.ErrnoException): Ending {
  const code = error.code ?? "";
  if (OWN_FAILURES.has(code)) throw error;
  if (REFUSED.has(code)) return { kind: "refused", detail: code };
  if (PEER_ENDED.has(code)) return closed(code);
  if (code === "ETIMEDOUT") return { kind: "timeout", detail: code };
  // What remains comes from OpenSSL and from Node's check of the certificate: an alert, a wrong version, an unknown authority, a wrong name.
  return { kind: "tls", detail: `${code === "" ? "" : `${code}: `}${"reason" in error ? error.reason : error.message}` };
}
