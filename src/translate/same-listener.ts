import { Interner } from "../base/intern.ts";
import { stableHash } from "../base/stable-hash.ts";
import type { Listener } from "../ir/listener.ts";

const listeners = new Interner<Listener>();
const settled = new WeakSet<Listener>();

/** The listener that was made first of those that are equal, origins included: an argument of a part. Asked again of the same one, it costs nothing. */
export function sameListener(listener: Listener): Listener {
  if (settled.has(listener)) return listener;
  const same = listeners.get(stableHash(listener), () => listener);
  settled.add(same);
  return same;
}
