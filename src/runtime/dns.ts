import { createSocket } from "node:dgram";
import { MeshError } from "../model/error.ts";
import { formatAnswer, parseQuery } from "./dns-message.ts";

export interface DnsServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Resolver of the sidecars. It answers only what `find` knows and asks nobody else, ever: that is why the pods may reach it past their
 * sidecars. Port 0 takes a free one.
 */
export function startDns(options: {
  readonly address: string;
  readonly port: number;
  readonly find: (name: string) => string | undefined;
}): Promise<DnsServer> {
  const socket = createSocket("udp4");
  socket.on("message", (message, from) => {
    const question = parseQuery(message);
    if (question === undefined) return;
    const address = options.find(question.name);
    socket.send(
      formatAnswer(question, address === undefined ? { kind: "no-such-name" } : { kind: "address", address }),
      from.port,
      from.address,
      () => {},
    );
  });
  return new Promise((resolve, reject) => {
    socket.once("error", (error) =>
      reject(new MeshError("network", `resolver can't listen on ${options.address}:${options.port}: ${error.message}`)),
    );
    socket.bind(options.port, options.address, () => {
      socket.removeAllListeners("error");
      socket.on("error", () => {});
      resolve({ port: socket.address().port, close: () => new Promise((closed) => socket.close(() => closed())) });
    });
  });
}
