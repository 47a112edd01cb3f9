import { expect, test } from "vitest";
import { sidecar } from "../testing/mesh.ts";
import type { XdsService } from "../xds/index.ts";
import { LiveMesh } from "./live-mesh.ts";
import { listWorkloads } from "./workload-status.ts";

test.each([1, 10, 100])("law: the status of %i proxies asks for that of the streams once", async (count) => {
  const live = new LiveMesh({ onChange: () => {}, say: () => {} });
  const proxies = Array.from({ length: count }, (_, i) => sidecar({ name: `users-${i}` }));
  const peer = { transport: "unix" as const, identity: undefined, address: "unix:" };
  for (const proxy of proxies) live.observe({ kind: "connected", proxy, peer });
  let asked = 0;
  const xds = {
    status: () => {
      asked++;
      return proxies.map((proxy) => ({ proxy, peer, connectedAtMs: 0, types: [], isHeldBack: false }));
    },
  } as unknown as XdsService;
  const statuses = await listWorkloads({ live, xds, trustDomain: "cluster.local", agentSocket: "/nowhere" });
  expect(statuses.map(({ name, config }) => `${name} ${config.kind}`)).toEqual(proxies.map(({ name }) => `${name} pending`));
  expect(asked).toBe(1);
});
