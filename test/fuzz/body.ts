import type { Draw } from "./draw.ts";

/** Around what proxies hold back: 32 KiB at a gateway, a window of HTTP/2, 1 MiB elsewhere. */
const LIMITS = [32_768, 65_536, 1_048_576];

/** What a request that may have a body brings. */
export function drawBody(draw: Draw): { readonly body?: string; readonly bodyBytes?: number } {
  return draw.weighted<{ readonly body?: string; readonly bodyBytes?: number }>([
    [6, () => ({ body: "hello" })],
    [3, () => ({ bodyBytes: draw.one(LIMITS) + draw.one([-1, 0, 0, 1, 1, 1000]) })],
  ]);
}

/** Many headers, or large ones, near Envoy's limits (100, 60 KiB). */
export function drawHeaders(draw: Draw): Readonly<Record<string, string | readonly string[]>> {
  return draw.weighted<Readonly<Record<string, string | readonly string[]>>>([
    [1, () => ({ "x-large": "l".repeat(draw.one([8000, 50_000, 60_000, 62_000, 70_000])) })],
    [1, () => ({ "x-many": Array.from({ length: draw.one([50, 85, 99, 101, 130]) }, () => "v") })],
  ]);
}
