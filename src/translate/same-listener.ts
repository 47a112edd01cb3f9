import { stableHash } from "../base/stable-hash.ts";
import type { Listener } from "../ir/listener.ts";
import type { Memo } from "./memo.ts";

const settled = new WeakSet<Listener>();

/** Says of a listener that whoever made it makes it once. */
export function settledListener(listener: Listener): Listener {
  settled.add(listener);
  return listener;
}

/** The listener that was made first of those that are equal, origins included: an argument of a part. Of a settled one, that one. */
export function sameListener(listener: Listener, memo: Memo): Listener {
  if (settled.has(listener)) return listener;
  return settledListener(memo.get(`listener ${stableHash(listener)}`, () => listener));
}
