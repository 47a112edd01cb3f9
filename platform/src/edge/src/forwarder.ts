import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, type OutgoingHttpHeaders, type Server } from "node:http";
import { createServer as createHttpsServer, request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import type { NginxSettings } from "./nginx-config.ts";

export type ForwarderSettings = Omit<NginxSettings, "programs" | "folder" | "ownRules">;

/**
 * The load balancer without the firewall, for a machine that lacks its packages: TLS, the redirect, the client's address, the same names, and
 * every request goes through.
 */
export async function startForwarder(settings: ForwarderSettings): Promise<{ stop(): void }> {
  const server = createHttpsServer({
    cert: readFileSync(settings.certificatePath),
    key: readFileSync(settings.keyPath),
    minVersion: "TLSv1.2",
  });
  const ca = readFileSync(settings.authorityPath, "utf8");
  const forward = (request: IncomingMessage) => {
    const host = insideOf(settings, request);
    if (host === undefined) return undefined;
    const { method = "GET", url: path = "/" } = request;
    const to = { host: "127.0.0.1", port: settings.gatewayPort, servername: host, ca };
    return httpsRequest({ ...to, method, path, headers: { ...onward(request), host } });
  };
  server.on("request", (request, response) => {
    const sent = forward(request);
    if (sent === undefined) return void response.writeHead(421).end();
    sent.on("response", (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)));
    sent.on("error", () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    response.on("close", () => sent.destroy());
    request.pipe(sent);
  });
  server.on("upgrade", (request, socket: Socket, early: Buffer) => {
    const sent = forward(request);
    if (sent === undefined) return void socket.end("HTTP/1.1 421 Misdirected Request\r\n\r\n");
    sent.on("upgrade", (answer, other: Socket, first: Buffer) => {
      other.write(early);
      socket.write(headOf(answer));
      socket.write(first);
      join(socket, other);
    });
    sent.on("response", (answer) => void socket.end(headOf(answer)));
    sent.on("error", () => socket.destroy());
    socket.on("error", () => sent.destroy());
    sent.end();
  });
  const redirect = createHttpServer((request, response) => {
    const name = nameOf(request);
    if (insideOf(settings, request) === undefined) return void response.writeHead(421).end();
    response.writeHead(308, { location: `https://${name}:${settings.httpsPort}${request.url ?? "/"}` }).end();
  });
  await Promise.all([listen(server, settings.httpsPort), listen(redirect, settings.httpPort)]);
  return {
    stop() {
      for (const one of [server, redirect]) {
        one.close();
        one.closeAllConnections();
      }
    },
  };
}

function nameOf(request: IncomingMessage): string {
  return (request.headers.host ?? "").replace(/:\d+$/, "").toLowerCase();
}

function insideOf({ names }: Pick<NginxSettings, "names">, request: IncomingMessage): string | undefined {
  const name = nameOf(request);
  return names.find(({ outside }) => outside === name)?.inside;
}

/** As a load balancer does: what the client claims stays in front, its address is added. */
function onward({ headers, socket }: IncomingMessage): OutgoingHttpHeaders {
  const claimed = headers["x-forwarded-for"];
  const { forwarded: _, "x-real-ip": __, "x-forwarded-host": ___, "x-forwarded-port": ____, ...kept } = headers;
  return {
    ...kept,
    "x-forwarded-for": [claimed ?? [], socket.remoteAddress ?? []].flat().join(", "),
    "x-forwarded-proto": "https",
  };
}

function headOf({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? `${name}: ${rawHeaders[index + 1] ?? ""}` : []));
  return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join("\r\n")}\r\n\r\n`;
}

function join(socket: Socket, other: Socket): void {
  socket.pipe(other).pipe(socket);
  for (const [one, next] of [
    [socket, other],
    [other, socket],
  ] as const) {
    one.on("error", () => next.destroy());
    one.on("close", () => next.destroy());
  }
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
}
