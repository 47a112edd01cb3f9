import { fromOutside } from "./aim.ts";
import type { FuzzCall } from "./document.ts";
import type { Draw } from "./draw.ts";
import { CALLERS } from "./topology.ts";

/** Connections that carry bytes, TLS of the client's own among them. */
export function drawBytes(draw: Draw): FuzzCall {
  const workload = () => ({ workload: draw.one([...CALLERS, "legacy"]) });
  return draw.weighted<FuzzCall>([
    [8, () => ({ from: workload(), request: { url: "tcp://store.data:5432" } })],
    [3, () => ({ from: fromOutside(draw, { gateway: "edge" }), request: { url: `tcp://edge:${draw.one([5432, 5432, 80])}` } })],
    [2, () => ({ from: fromOutside(draw, { outside: "store" }), request: { url: `tcp://store:${draw.one([5432, 8080])}` } })],
    [
      4,
      () => ({
        from: workload(),
        request: {
          url: "tls://vault.data",
          ...draw.maybe(30, () => ({ sni: draw.one(["other.example.com", "vault.data.svc.cluster.local"]) })),
        },
      }),
    ],
    [
      3,
      () => ({
        from: fromOutside(draw, { gateway: "edge" }),
        request: { url: `tls://${draw.one(["vault.example.com", "VAULT.example.com", "x.example.com", "example.com"])}` },
      }),
    ],
    [
      2,
      () => ({
        from: { workload: draw.one(CALLERS) },
        request: { url: `tls://${draw.one(["api.example.com", "a.cdn.example.com", "cdn.example.com", "other.example.net"])}` },
      }),
    ],
    [
      1,
      () => ({
        from: { workload: draw.one(CALLERS) },
        request: { url: `tcp://${draw.one(["192.0.2.9:5432", "users.shop:80", "users.shop:81"])}` },
      }),
    ],
  ]);
}

/** Ports on which nobody listens. */
export function drawDeadEnd(draw: Draw): FuzzCall {
  return draw.weighted<FuzzCall>([
    [3, () => ({ from: { gateway: "edge" }, request: { url: `http://shop.example.com:${draw.one([9090, 8081, 15432])}/` } })],
    [1, () => ({ from: { gateway: "edge" }, request: { url: "https://shop.example.com:9443/" } })],
    [1, () => ({ from: { gateway: "edge" }, request: { url: "tcp://edge:5433" } })],
    [
      2,
      () => ({
        from: { outside: draw.one(["legacy", "users-v1", "store"]) },
        request: { url: `http://legacy:${draw.one([7000, 8082])}/` },
      }),
    ],
    [1, () => ({ from: { workload: draw.one(CALLERS) }, request: { url: `tcp://store.data:${draw.one([7000, 6432])}` } })],
    [1, () => ({ from: { workload: "legacy" }, request: { url: "http://legacy.data:7000/" } })],
  ]);
}
