import type { Duration } from "@bufbuild/protobuf/wkt";

/** Milliseconds; undefined where there is no duration. */
export function toMs(duration: Duration | undefined): number | undefined {
  return duration === undefined ? undefined : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
