import { connect, createServer, type Server, type Socket } from "node:net";
import type { Workload } from "../model/workload.ts";
import type { Place, WireApplications } from "./wire-application.ts";

/** Sidecars reach their own application from this address. */
const OWN_SOURCE = "127.0.0.6";

export interface SwitchPort {
  readonly address: string;
  readonly port: number;
  /** Undefined: no program listens there, only a proxy may take the connection. */
  readonly place?: Place;
  /** The port on which the proxy in front really listens; undefined where there is none. */
  readonly proxyPort?: number;
}

/**
 * Stands for capture on one machine: what comes to a workload's address goes to its proxy, with a PROXY header that says whence and where to, and
 * what its own proxy sends (from 127.0.0.6) to its application.
 */
export async function startSwitch(ports: readonly SwitchPort[], applications: WireApplications): Promise<{ close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const open = async (way: SwitchPort): Promise<Server> => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => socket.destroy());
      const isOwn = socket.remoteAddress === OWN_SOURCE;
      if (way.proxyPort !== undefined && !isOwn) passOn(socket, way, way.proxyPort);
      else if (way.place !== undefined) applications.accept(socket, way.place);
      else socket.destroy();
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(way.port, way.address, resolve);
    });
    return server;
  };
  const servers = await Promise.all(ports.map(open));
  return {
    async close() {
      applications.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

function passOn(socket: Socket, { address, port }: SwitchPort, proxyPort: number): void {
  const further = connect({ host: "127.0.0.1", port: proxyPort, localAddress: socket.remoteAddress ?? "", allowHalfOpen: true });
  further.write(`PROXY TCP4 ${socket.remoteAddress ?? ""} ${address} ${socket.remotePort ?? 0} ${port}\r\n`);
  further.on("error", () => socket.destroy());
  further.on("close", () => socket.destroy());
  socket.on("close", () => further.destroy());
  socket.pipe(further);
  further.pipe(socket);
}

/** The places of a workload's declared ports. */
export function placesOf(workload: Workload): readonly Place[] {
  return workload.ports.map(({ port }) => ({ target: { namespace: workload.namespace, name: workload.name }, port }));
}
