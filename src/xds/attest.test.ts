import { describe, expect, test } from "vitest";
import type { Proxy } from "../model/proxy.ts";
import { meshOf, router, sidecar } from "../testing/mesh.ts";
import { attest } from "./attest.ts";
import type { Peer } from "./peer.ts";

const entry = (name: string, more: string, metadata = "") => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: shop${metadata} }
spec: { address: 10.9.0.9, ${more} }
---`;

const { workloads } = meshOf(`
apiVersion: v1
kind: Pod
metadata: { name: users-1, namespace: shop, labels: { app: users } }
spec: { serviceAccountName: users, containers: [] }
status: { phase: Running, podIP: 10.244.0.7 }
---
${entry("users-1", "serviceAccount: legacy, labels: { app: legacy }")}
${entry("legacy-1", "serviceAccount: legacy, labels: { app: legacy }")}
${entry("edge-1", "serviceAccount: legacy", ', annotations: { inject.istio.io/templates: "x, gateway" }')}
${entry("named-1", "serviceAccount: legacy").replace("10.9.0.9", "host.example")}
${entry("plain-1", "labels: { app: plain }")}
`);

const peer = (serviceAccount: string, over: Partial<Peer> = {}): Peer => ({
  transport: "mtls",
  identity: { trustDomain: "a.test", namespace: "shop", serviceAccount },
  address: "",
  ...over,
});
const claim = (name: string, serviceAccount: string, over: Partial<Proxy> = {}) =>
  sidecar({ name, serviceAccount, labels: { istio: "ingressgateway" }, addresses: ["10.1.1.1"], ...over });

describe("over mTLS a proxy", () => {
  test.each([
    { title: "of a Pod", name: "users-1", account: "users", labels: { app: "users" }, addresses: ["10.244.0.7"] },
    { title: "of a WorkloadEntry", name: "legacy-1", account: "legacy", labels: { app: "legacy" }, addresses: ["10.9.0.9"] },
    { title: "of one whose address is a name", name: "named-1", account: "legacy", labels: {}, addresses: [] },
    { title: "of one without account", name: "plain-1", account: "default", labels: { app: "plain" }, addresses: ["10.9.0.9"] },
  ])("$title has the labels and addresses that are declared", ({ name, account, labels, addresses }) => {
    const claimed = claim(name, account);
    expect(attest(peer(account), claimed, workloads)).toEqual({ ...claimed, labels, addresses });
  });

  test("of a declared gateway is a router", () => {
    const claimed = router({ name: "edge-1", namespace: "shop", serviceAccount: "legacy" });
    expect(attest(peer("legacy"), claimed, workloads)).toEqual({ ...claimed, labels: {}, addresses: ["10.9.0.9"] });
  });

  test.each<{ title: string; name: string; account: string; over?: Partial<Proxy>; by?: Partial<Peer>; why: RegExp }>([
    {
      title: "a workload that is not declared",
      name: "legacy-2",
      account: "legacy",
      why: /no Pod or WorkloadEntry shop\/legacy-2 runs as/,
    },
    { title: "one of another account", name: "users-1", account: "legacy", why: /runs as spiffe:\/\/a\.test\/ns\/shop\/sa\/legacy/ },
    { title: "one of another namespace", name: "legacy-1", account: "legacy", over: { namespace: "bank" }, why: /bank\/legacy-1/ },
    { title: "a gateway of what has a sidecar", name: "legacy-1", account: "legacy", over: { type: "router" }, why: /sidecar, not router/ },
    { title: "a sidecar of what is a gateway", name: "edge-1", account: "legacy", why: /router, not sidecar/ },
    { title: "anything without an identity", name: "legacy-1", account: "legacy", by: { identity: undefined }, why: /no identity/ },
  ])("is not $title", ({ name, account, over = {}, by = {}, why }) => {
    expect(attest(peer(account, by), claim(name, account, over), workloads)).toMatch(why);
  });
});

test.each(["unix", "insecure"] as const)("over %s whoever calls speaks for the machine", (transport) => {
  const claimed = claim("anything", "legacy");
  expect(attest(peer("legacy", { transport }), claimed, workloads)).toBe(claimed);
});
