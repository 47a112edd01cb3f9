import { fromOutside } from "./aim.ts";
import type { FuzzCall } from "./document.ts";
import type { Draw } from "./draw.ts";
import { CALLERS, OUTSIDE_RANGE } from "./topology.ts";

/** Connections that carry bytes, TLS of the client's own among them. */
export function drawBytes(draw: Draw): FuzzCall {
  const workload = () => ({ workload: draw.one([...CALLERS, "legacy"]) });
  return draw.weighted<FuzzCall>([
    [8, () => ({ from: workload(), request: { url: "tcp://store.data:5432" } })],
    [3, () => ({ from: fromOutside(draw, { gateway: "edge" }), request: { url: `tcp://edge:${draw.one([5432, 5432, 80])}` } })],
    [4, () => drawPastSidecars(draw)],
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
    [4, () => ({ from: { workload: draw.one(CALLERS) }, request: { url: `tcp://${draw.one(BYTES_TO)}` } })],
    [2, () => ({ from: { workload: draw.one(CALLERS) }, request: { url: `tls://${draw.one(TLS_TO)}` } })],
    [2, () => drawRange(draw)],
  ]);
}

/** Ports of HTTP, of bytes, of no declared protocol and of no Service; hosts that nobody knows, on ports that services have. */
const BYTES_TO = ["192.0.2.9:5432", "users.shop:80", "users.shop:81", "store.data:6000", "store.data:3306"].concat([
  "other.example.net:80",
  "other.example.net:81",
  "other.example.net:6000",
  "other.example.net:7777",
]);
const TLS_TO = ["users.shop:80", "users.shop:81", "store.data:6000", "other.example.net:80", "other.example.net:6000"];

/** Straight to a workload's address, in bytes or in TLS of the client's own. */
function drawPastSidecars(draw: Draw): FuzzCall {
  const { name, ports } = draw.one([
    { name: "store", ports: [5432, 8080, 3306, 6000, 8443, 7777] },
    { name: "users-v1", ports: [8080, 8081, 9000, 7000, 7777] },
  ]);
  const scheme = draw.one(["tcp", "tcp", "tls"]);
  return { from: fromOutside(draw, { outside: name }), request: { url: `${scheme}://${name}:${draw.one(ports)}` } };
}

function drawRange(draw: Draw): FuzzCall {
  const { name, inside, beside, port } = OUTSIDE_RANGE;
  const url = `${draw.one(["tls", "tls", "tls", "tcp"])}://${draw.one([inside, inside, beside])}:${port}`;
  const sni = url.startsWith("tls") ? { sni: draw.one([name, name, "other.example.net"]) } : {};
  return { from: { workload: draw.one(CALLERS) }, request: { url, ...sni } };
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
