import { createServer, type Server, type Socket } from "node:net";
import type { TLSSocket, Server as TlsServer } from "node:tls";
import type { Duplex } from "node:stream";
import type { EchoPort } from "../real/exchange.ts";
import type { ConnectionFacts, EchoApplication } from "./application.ts";
import { ByteReader } from "./byte-reader.ts";
import { echoBytes } from "./echo-bytes.ts";
import { serveHttp1 } from "./http1-server.ts";
import type { FailedPort } from "./protocol.ts";
import { readSpoken, type Spoken } from "./spoken.ts";

/** One open port. What it is may change while it stays open; connections go on as what they were. */
interface OpenPort {
  readonly server: Server;
  readonly sockets: Set<Socket>;
  port: EchoPort;
  tlsServer?: TlsServer;
}

/** The ports of an echo program. */
export class EchoServer {
  readonly #application: EchoApplication;
  readonly #open = new Map<string, OpenPort>();

  constructor(application: EchoApplication) {
    this.#application = application;
  }

  /** Replaces the set of ports. Resolves with those that can't be opened; the others are. Calls must not overlap. */
  async listen(ports: readonly EchoPort[]): Promise<readonly FailedPort[]> {
    const wanted = new Set(ports.map(keyOf));
    await Promise.all([...this.#open].filter(([key]) => !wanted.has(key)).map(([key, open]) => this.#close(key, open)));
    const failed: FailedPort[] = [];
    await Promise.all(
      ports.map(async (port) => {
        const message = await this.#openOrChange(port);
        const { address } = port;
        if (message !== undefined) failed.push({ ...(address !== undefined && { address }), port: port.port, message });
      }),
    );
    return failed;
  }

  async close(): Promise<void> {
    await this.listen([]);
  }

  /** A text is why it can't. */
  async #openOrChange(port: EchoPort): Promise<string | undefined> {
    const known = this.#open.get(keyOf(port));
    if (known !== undefined && JSON.stringify(known.port) === JSON.stringify(port)) return undefined;
    try {
      const tlsServer = port.tls === undefined ? undefined : await this.#tlsServer(port, port.tls);
      if (known === undefined) {
        await this.#openNew(port, tlsServer);
      } else {
        known.port = port;
        delete known.tlsServer;
        if (tlsServer !== undefined) known.tlsServer = tlsServer;
      }
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #openNew(port: EchoPort, tlsServer: TlsServer | undefined): Promise<void> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
    const open: OpenPort = { server, sockets, port, ...(tlsServer !== undefined && { tlsServer }) };
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
      this.#watch(this.#accept(socket, open), socket);
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject).listen({ port: port.port, ...(port.address !== undefined && { host: port.address }) }, resolve);
    await promise;
    server.on("error", (error) => this.#application.failed(error));
    this.#open.set(keyOf(port), open);
  }

  async #close(key: string, { server, sockets }: OpenPort): Promise<void> {
    this.#open.delete(key);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  /** What fails on one connection ends that one only. */
  #watch(serving: Promise<void>, socket: Socket): void {
    serving.catch((error: unknown) => {
      this.#application.failed(error);
      socket.destroy();
    });
  }

  async #accept(socket: Socket, { port, tlsServer }: OpenPort): Promise<void> {
    const facts = { ...addressesOf(socket), port, tls: false };
    if (port.greeting !== undefined && tlsServer === undefined) return this.#serve(socket, facts);
    const reader = new ByteReader(socket);
    const spoken = await readSpoken(reader);
    const isTls = spoken === "tls";
    if (isTls ? tlsServer === undefined : tlsServer !== undefined && reader.total > 0) {
      this.#application.tlsFailed(facts, isTls ? "TLS on a port that has none" : "no TLS on a port that has only TLS");
      socket.destroy();
      return;
    }
    if (isTls) {
      reader.release();
      tlsServer?.emit("connection", socket);
      return;
    }
    await this.#serve(socket, facts, { reader, spoken });
  }

  async #tlsServer(port: EchoPort, { chainPem, keyPem }: NonNullable<EchoPort["tls"]>): Promise<TlsServer> {
    const tls = await import("node:tls");
    const server = tls.createServer({
      cert: chainPem,
      key: keyPem,
      allowHalfOpen: true,
      ALPNCallback: ({ protocols }) => chosenAlpn(protocols),
    });
    server.on("secureConnection", (socket) => {
      socket.on("error", () => socket.destroy());
      this.#watch(this.#serve(socket, { ...addressesOf(socket), port, tls: true, ...sniOf(socket) }), socket);
    });
    server.on("tlsClientError", (error, socket) => {
      this.#application.tlsFailed({ ...addressesOf(socket), port }, error.message);
      socket.destroy();
    });
    return server;
  }

  async #serve(stream: Duplex, facts: ConnectionFacts, known?: { readonly reader: ByteReader; readonly spoken: Spoken }): Promise<void> {
    const reader = known?.reader ?? new ByteReader(stream);
    const spoken = facts.port.greeting !== undefined ? "bytes" : (known?.spoken ?? (await readSpoken(reader)));
    switch (spoken) {
      case "http1":
        return serveHttp1(stream, reader, facts, this.#application);
      case "http2": {
        reader.release();
        const { serveHttp2 } = await import("./http2-server.ts");
        serveHttp2(stream, facts, this.#application);
        return;
      }
      default:
        return echoBytes(stream, reader, facts, this.#application);
    }
  }
}

function keyOf({ address, port }: EchoPort): string {
  return `${address ?? "*"} ${port}`;
}

/** As most servers choose; who offers only what we don't know gets his own first wish, so that what he speaks then is still told. */
function chosenAlpn(offered: readonly string[]): string | undefined {
  return ["h2", "http/1.1"].find((known) => offered.includes(known)) ?? offered[0];
}

function sniOf({ servername }: TLSSocket & { readonly servername?: string | false | null }): { readonly sni?: string } {
  return typeof servername === "string" && servername !== "" ? { sni: servername } : {};
}

function addressesOf({
  localAddress,
  remoteAddress,
  remotePort,
}: Socket): Pick<ConnectionFacts, "localAddress" | "peerAddress" | "peerPort"> {
  return {
    localAddress: withoutMapping(localAddress),
    peerAddress: withoutMapping(remoteAddress),
    ...(remotePort !== undefined && { peerPort: remotePort }),
  };
}

/** An IPv4 peer of an IPv6 socket is shown as IPv4. */
function withoutMapping(address = ""): string {
  return address.replace(/^::ffff:/, "");
}
