import { describe, expect, test } from "vitest";
import { meshOf, sidecar } from "../testing/mesh.ts";
import { mtlsOf, resolveMtls } from "./peer-authentication.ts";

const policy = (name: string, namespace: string, spec: object, creationTimestamp = "2026-01-01T00:00:00Z") =>
  JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name, namespace, creationTimestamp },
    spec,
  });
const selector = { matchLabels: { app: "users" } };
const mode = (value: string) => ({ mtls: { mode: value } });

describe("resolveMtls", () => {
  test.each([
    { title: "without a policy the profile's", policies: [], all: "strict" },
    { title: "the mesh's", policies: [policy("a", "istio-system", mode("PERMISSIVE"))], all: "permissive" },
    {
      title: "the namespace's before the mesh's",
      policies: [policy("a", "istio-system", mode("PERMISSIVE")), policy("b", "shop", mode("DISABLE"))],
      all: "disable",
    },
    {
      title: "the workload's before the namespace's",
      policies: [policy("b", "shop", mode("DISABLE")), policy("c", "shop", { selector, ...mode("STRICT") })],
      all: "strict",
    },
    {
      title: "UNSET asks the next",
      policies: [policy("b", "shop", mode("DISABLE")), policy("c", "shop", { selector, ...mode("UNSET") })],
      all: "disable",
    },
    {
      title: "of two the older",
      policies: [policy("a", "shop", mode("PERMISSIVE"), "2026-02-01T00:00:00Z"), policy("b", "shop", mode("DISABLE"))],
      all: "disable",
    },
    {
      title: "another workload's does not count",
      policies: [policy("c", "shop", { selector: { matchLabels: { app: "videos" } }, ...mode("DISABLE") })],
      all: "strict",
    },
    { title: "another namespace's does not count", policies: [policy("c", "test", mode("DISABLE"))], all: "strict" },
  ])("$title", ({ policies, all }) => {
    const mesh = meshOf(policies.join("\n---\n"));
    expect(resolveMtls(mesh.policies.find("PeerAuthentication", sidecar()), mesh.settings.defaultMtls).all).toBe(all);
  });

  test("a port of the workload's own policy, and only of that; an UNSET one is as the rest", () => {
    const own = policy("c", "shop", {
      selector,
      ...mode("PERMISSIVE"),
      portLevelMtls: { 8080: { mode: "DISABLE" }, 9000: { mode: "UNSET" } },
    });
    const wide = policy("b", "shop", { portLevelMtls: { 7000: { mode: "DISABLE" } } });
    const mesh = meshOf([own, wide].join("\n---\n"));
    const modes = resolveMtls(mesh.policies.find("PeerAuthentication", sidecar()), mesh.settings.defaultMtls);
    expect([8080, 9000, 7000].map((port) => mtlsOf(modes, port))).toEqual(["disable", "permissive", "permissive"]);
  });
});
