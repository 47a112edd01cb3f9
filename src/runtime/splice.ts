import type { Socket } from "node:net";

/** Joins two connections: each half ends by itself, back-pressure is kept, an error on either resets the other. */
export function splice(a: Socket, b: Socket): void {
  a.pipe(b);
  b.pipe(a);
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.on("error", () => reset(other));
    one.on("close", () => {
      if (!one.readableEnded) reset(other);
    });
  }
}

/** Ends a connection so that the peer sees a failure, not an end. */
export function reset(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.remoteFamily === undefined) socket.destroy();
  else socket.resetAndDestroy();
}
