import type { Socket } from "node:net";

/** How long a peer whose other side has gone may take nothing of what is left for it. */
const LAST_BYTES_MS = 60_000;
/** A connection may be silent for as long as it likes; a peer that is no longer there is found out. */
const KEEP_ALIVE_MS = 60_000;

/** Joins two connections: each half ends by itself, back-pressure is kept, an error on either resets the other, and neither stays alone. */
export function splice(a: Socket, b: Socket): void {
  a.pipe(b);
  b.pipe(a);
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.setKeepAlive(true, KEEP_ALIVE_MS);
    one.on("error", () => reset(other));
    one.on("close", () => {
      if (one.readableEnded && one.writableFinished) finish(other);
      else reset(other);
    });
  }
}

/** All that will come for it has come: it may take what is left, at its own pace but not for ever. */
function finish(socket: Socket): void {
  socket.setTimeout(LAST_BYTES_MS, () => socket.destroy());
}

/**
 * Ends a connection at once, so that the peer sees a failure and not an end. Not by `resetAndDestroy()`, which first waits until the peer has
 * taken everything, and on a connection whose end is just being sent fails in libuv (EINVAL): Node then forgets the descriptor without closing
 * it, so that it stays for ever and the event loop with it.
 */
export function reset(socket: Socket & { resetAndClosing?: boolean }): void {
  if (socket.destroyed) return;
  const isEndOnItsWay = socket.writableEnded && socket.writableLength === 0;
  // A Unix socket knows no reset.
  if (socket.remoteFamily !== undefined && !isEndOnItsWay) socket.resetAndClosing = true;
  socket.destroy();
}
