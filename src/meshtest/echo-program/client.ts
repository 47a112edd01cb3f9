import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ClientOrder, ClientReport } from "../real/exchange.ts";
import { sendBytes } from "./bytes-client.ts";
import { requestHttp1, requestWebSocket } from "./http1-client.ts";
import { type Ending, openConnection } from "./open-connection.ts";

/**
 * Sends one request on a connection of its own, and ends that when the answer is there. What the mesh does to it is in the report.
 * @throws where the client itself fails: no such local address, no such certificate
 */
export async function send(order: ClientOrder): Promise<ClientReport> {
  const startedMs = performance.now();
  const sockets: Socket[] = [];
  let local: string | undefined;
  const opened = (socket: Socket) => {
    sockets.push(socket);
    socket.once("connect", () => void (local = `${socket.localAddress}:${socket.localPort}`));
  };
  const timeout = Promise.withResolvers<Ending>();
  const timer = setTimeout(() => timeout.resolve({ kind: "timeout", detail: `nothing within ${order.timeoutMs} ms` }), order.timeoutMs);
  try {
    const ending = await Promise.race([exchange(order, opened), timeout.promise]);
    return { ...ending, elapsedMs: Math.round(performance.now() - startedMs), ...(local !== undefined && { local }) };
  } finally {
    clearTimeout(timer);
    for (const socket of sockets) socket.destroy();
  }
}

async function exchange(order: ClientOrder, opened: (socket: Socket) => void): Promise<Ending> {
  const connection = await openConnection(order, opened);
  return "kind" in connection ? connection : speak(connection, order);
}

async function speak(stream: Duplex, order: ClientOrder): Promise<Ending> {
  switch (order.protocol) {
    case "http1":
      return requestHttp1(stream, order);
    case "websocket":
      return requestWebSocket(stream, order);
    case "tcp":
    case "tls":
      return sendBytes(stream, order);
    default:
      return (await import("./http2-client.ts")).requestHttp2(stream, order);
  }
}
