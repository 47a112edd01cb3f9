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

test("of two streams of one proxy the later counts: the other is of a connection that is about to end", async () => {
  const live = new LiveMesh({ onChange: () => {}, say: () => {} });
  const proxy = sidecar({ name: "users-1" });
  const peer = { transport: "unix" as const, identity: undefined, address: "unix:" };
  live.observe({ kind: "connected", proxy, peer });
  const streamOf = (isSynced: boolean) => {
    const type = { type: "cluster", subscribed: "*", held: 1, acknowledged: "1", refused: [], lastError: "", isSynced };
    return { proxy, peer, connectedAtMs: 0, types: [type], isHeldBack: false };
  };
  const kindOf = async (...synced: readonly boolean[]) => {
    const xds = { status: () => synced.map(streamOf) } as unknown as XdsService;
    const [status] = await listWorkloads({ live, xds, trustDomain: "cluster.local", agentSocket: "/nowhere" });
    return status?.config.kind;
  };
  expect([await kindOf(false, true), await kindOf(true, false)]).toEqual([await kindOf(true), await kindOf(false)]);
  expect(await kindOf(true)).not.toBe(await kindOf(false));
});
