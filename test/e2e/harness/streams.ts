import { request } from "node:http";
import type { Socket } from "node:net";
import { Client, credentials } from "@grpc/grpc-js";

/** How long and how patiently: briefly in every run, at full length where it is asked for. */
export interface StreamPlan {
  /** The streams are this old before what they come from is rolled out. */
  readonly seconds: number;
  /** Rollouts of another workload meanwhile. */
  readonly rollouts: number;
  /** What a gateway that is rolled out must still let through: ten pieces are a second. At full length longer than Envoy's own drain (45 s). */
  readonly piecesWhileDraining: number;
  /** Nothing may be silent for longer. Wider where other tests take the machine's time: who has lost his way is silent for 3 s and more. */
  readonly longestGapMs: number;
}

/** `KUMIKO_STREAM_SECONDS=45` asks for the full length. */
export function readStreamPlan(env: NodeJS.ProcessEnv): StreamPlan {
  const seconds = Number(env["KUMIKO_STREAM_SECONDS"] ?? 0);
  return seconds > 0
    ? { seconds, rollouts: 3, piecesWhileDraining: 500, longestGapMs: 1000 }
    : { seconds: 10, rollouts: 3, piecesWhileDraining: 60, longestGapMs: 2000 };
}

/** A stream that is watched from its first byte on. */
export interface WatchedStream {
  readonly name: string;
  /** The longest time between two pieces, the current silence included. */
  longestGapMs(): number;
  pieces(): number;
  /** Its last piece said that it is complete; with an error, or without that piece, it was cut: then this says how it ended. */
  readonly ended: Promise<string>;
  close(): void;
}

const COMPLETE = /complete$/;

function watch(name: string, open: (piece: (bytes: Buffer) => void, end: (how: string) => void) => () => void): WatchedStream {
  let [last, longest, count] = [performance.now(), 0, 0];
  let tail = "";
  let isOpen = true;
  const ended = Promise.withResolvers<string>();
  const gap = () => Math.max(longest, isOpen && count > 0 ? performance.now() - last : 0);
  const piece = (bytes: Buffer) => {
    longest = gap();
    last = performance.now();
    count += 1;
    tail = (tail + bytes.subarray(-64).toString("latin1")).trimEnd().slice(-64);
    if (COMPLETE.test(tail)) isOpen = false;
  };
  const end = (how: string) => {
    longest = gap();
    isOpen = false;
    ended.resolve(COMPLETE.test(tail) ? "complete" : `cut: ${how}`);
  };
  const close = open(piece, end);
  return { name, longestGapMs: () => Math.round(gap()), pieces: () => count, ended: ended.promise, close };
}

/** A response, read piece by piece. */
export function watchResponse(name: string, url: string, port: number): WatchedStream {
  return watch(name, (piece, end) => {
    const { host, pathname } = new URL(url);
    const sent = request({ host: "127.0.0.1", port, path: pathname, headers: { host }, agent: false }, (response) => {
      response.on("data", piece);
      response.on("end", () => end(`status ${response.statusCode}`));
      response.on("error", (error) => end(error.message));
    });
    sent.on("error", (error) => end(error.message));
    sent.end();
    return () => sent.destroy();
  });
}

/** What a WebSocket server sends; the frames are so short that each begins with its length. */
export function watchWebSocket(host: string, path: string, port: number): WatchedStream {
  return watch("WebSocket", (piece, end) => {
    const headers = {
      host,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": btoa("0123456789abcdef"),
    };
    const sent = request({ host: "127.0.0.1", port, path, headers, agent: false });
    let upgraded: Socket | undefined;
    sent.on("upgrade", (_, socket: Socket) => {
      upgraded = socket;
      socket.on("data", piece);
      socket.on("end", () => (socket.end(), end("the connection ended")));
      socket.on("error", (error) => end(error.message));
    });
    sent.on("response", ({ statusCode }) => end(`status ${statusCode}`));
    sent.on("error", (error) => end(error.message));
    sent.end();
    return () => (upgraded ?? sent).destroy();
  });
}

/** A gRPC server stream. */
export function watchGrpc(host: string, method: string, port: number): WatchedStream {
  return watch("gRPC", (piece, end) => {
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { "grpc.default_authority": host });
    const bytes = (buffer: Buffer) => buffer;
    const call = client.makeServerStreamRequest(method, bytes, bytes, Buffer.alloc(0));
    call.on("data", piece);
    call.on("error", (error) => (client.close(), end(error.message)));
    call.on("end", () => (client.close(), end("the stream ended")));
    return () => call.cancel();
  });
}
