import type { MeshSettings } from "../../mesh/mesh-settings.ts";

/** All that a listener's form depends on besides its own IR. */
export type ListenerSettings = Pick<
  MeshSettings,
  "profile" | "pathNormalization" | "protocolDetectionTimeoutMs" | "maxConnectionDurationMs" | "accessLog"
>;

/**
 * A certificate is renewed at half its life, give or take a tenth, so that at least 45 % of it is left when a connection begins. A connection's
 * own end and that of the last stream on it together stay within that.
 */
export function connectionLimits(settings: Pick<ListenerSettings, "maxConnectionDurationMs">) {
  const life = settings.maxConnectionDurationMs;
  if (life === 0) return undefined;
  return { connectionMs: life * 0.2, streamMs: life * 0.25, tcpMs: life * 0.45 };
}
