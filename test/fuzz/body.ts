import type { Draw } from "./draw.ts";

/** Around what proxies hold back: 32 KiB at a gateway, a window of HTTP/2, 1 MiB elsewhere. */
const LIMITS = [32_768, 65_536, 1_048_576];

const AROUND = [-1, 0, 0, 1, 1, 1000];

/** What a request that may have a body brings; `shown` are the limits of authorizers. */
export function drawBody(draw: Draw, shown: readonly number[]): { readonly body?: string; readonly bodyBytes?: number } {
  return draw.weighted<{ readonly body?: string; readonly bodyBytes?: number }>([
    [6, () => ({ body: "hello" })],
    [3, () => ({ bodyBytes: draw.one(LIMITS) + draw.one(AROUND) })],
    [shown.length === 0 ? 0 : 12, () => ({ bodyBytes: draw.one(shown) + draw.one(AROUND) })],
  ]);
}

/** Up to the last header of a request, by its protocol; the rest of it is not much longer than a hundred bytes. */
const HEAD_BYTES = 61_440;

/** Many headers, or large ones, near Envoy's limits (100, 60 KiB), with what else is in a request and what proxies add on the way. */
export function drawHeaders(draw: Draw): Readonly<Record<string, string | readonly string[]>> {
  return draw.weighted<Readonly<Record<string, string | readonly string[]>>>([
    [1, () => ({ "x-large": "l".repeat(draw.one([8000, 50_000, HEAD_BYTES, 70_000, HEAD_BYTES - draw.whole(30, 500)])) })],
    [1, () => ({ "x-many": Array.from({ length: draw.one([50, 130, draw.whole(85, 101), draw.whole(92, 100)]) }, () => "v") })],
  ]);
}
