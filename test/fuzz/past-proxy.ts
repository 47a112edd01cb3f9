import { PROBE_ADDRESS } from "../../src/model/pod-network.ts";
import type { FuzzCall } from "./document.ts";
import type { Draw } from "./draw.ts";
import { addressOf, CALLERS } from "./topology.ts";

/** Calls that a pod's rules lead past its proxy, and some that they only just don't. */
export function drawPastProxy(draw: Draw): FuzzCall {
  const path = () => draw.one(["/", "/admin", "/api/v1"]);
  const port = () => draw.one([8080, 8080, 8080, 7777]);
  return draw.weighted<FuzzCall>([
    [
      4,
      () => {
        const workload = draw.one([...CALLERS, "legacy"]);
        const host = draw.one([addressOf(workload), addressOf(workload), "127.0.0.1", "127.0.0.9", addressOf("users-v1")]);
        return { from: { workload }, request: { url: `${draw.one(["http", "http", "tcp"])}://${host}:${port()}${path()}` } };
      },
    ],
    [
      2,
      () => ({
        from: { outside: draw.one(["users-v1", "store", "legacy"]), clientIp: PROBE_ADDRESS },
        request: { url: `http://users:${port()}${path()}` },
      }),
    ],
  ]);
}
