import { randomBytes } from "node:crypto";
import { request } from "node:http";
import type { Socket } from "node:net";

export interface WebSocketClient {
  /** Sends a short text and returns the answer; rejects when the connection ends first. */
  ask(text: string): Promise<string>;
  close(): void;
}

/** A WebSocket (RFC 6455) to a loopback address with a Host header of its own, which the platform's client does not offer. */
export function openWebSocket(
  host: string,
  path: string,
  port: number,
  headers: Readonly<Record<string, string>> = {},
  address = "127.0.0.1",
): Promise<WebSocketClient> {
  const { promise, resolve, reject } = Promise.withResolvers<WebSocketClient>();
  const sent = request({
    host: address,
    port,
    path,
    headers: {
      ...headers,
      host,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": randomBytes(16).toString("base64"),
    },
  });
  sent.on("upgrade", (_, socket: Socket) => resolve(toClient(socket)));
  sent.on("response", ({ statusCode }) => reject(new Error(`the upgrade was answered with ${statusCode}`)));
  sent.on("error", reject);
  sent.end();
  return promise;
}

function toClient(socket: Socket): WebSocketClient {
  const waiting: PromiseWithResolvers<string>[] = [];
  socket.on("data", (frame: Buffer) => {
    if (((frame[0] ?? 0) & 0x0f) === 1) waiting.shift()?.resolve(frame.subarray(2).toString("utf8"));
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    for (const { reject } of waiting.splice(0)) reject(new Error("the connection was closed"));
  });
  return {
    ask(text) {
      const answer = Promise.withResolvers<string>();
      if (socket.destroyed) answer.reject(new Error("the connection was closed"));
      else waiting.push(answer);
      const payload = Buffer.from(text);
      const mask = randomBytes(4);
      const masked = payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0));
      socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, masked]));
      return answer.promise;
    },
    close: () => socket.destroy(),
  };
}
