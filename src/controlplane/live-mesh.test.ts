import { expect, test } from "vitest";
import { diagnostic, type Diagnostic } from "../model/diagnostic.ts";
import { resourcesOf, sidecar } from "../testing/mesh.ts";
import { LiveMesh } from "./live-mesh.ts";

test("says each problem once, and of the notes how many there are and how to see them", () => {
  const said: string[] = [];
  const live = new LiveMesh({ say: (line) => said.push(line), onChange() {} });
  const note = (message: string): Diagnostic => ({ ...diagnostic("KMK1004", { message }), severity: "info" });
  const problem = diagnostic("KMK1002", { message: "unknown field spec.x" });
  live.set("folder", { held: [], diagnostics: [note("a"), problem, note("b")] });
  live.set("folder", { held: [], diagnostics: [note("a"), problem, note("b")] });
  expect(said).toEqual([
    "warning KMK1002: unknown field spec.x",
    "2 notes on what has no effect here (2 of them on skipped documents): kumiko status -o wide",
  ]);
});

test("what a proxy refused, and what is wrong with what it is told, is known until its last stream has ended", () => {
  const live = new LiveMesh({ say: () => {}, onChange() {} });
  const [service, virtualService] = [
    "{ apiVersion: v1, kind: Service, metadata: { name: users, namespace: shop }, spec: { ports: [{ port: 80, name: http }] } }",
    "{ apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: { name: users, namespace: shop }, spec: { hosts: [users], http: [{ route: [{ destination: { host: nobody } }] }] } }",
  ];
  const held = resourcesOf(`${service}\n---\n${virtualService}`).map((resource) => ({
    resource,
    revision: resource.hash,
    holder: "folder" as const,
  }));
  live.set("folder", { held, diagnostics: [] });
  const proxy = sidecar({ namespace: "shop", name: "web" });
  const peer = { transport: "unix" as const, identity: undefined, address: "unix:" };
  live.observe({ kind: "connected", proxy, peer });
  live.observe({ kind: "connected", proxy, peer });
  live.snapshotFor(proxy);
  live.observe({ kind: "nack", proxy, type: "route", version: "1", resources: [{ name: "80", version: "1" }], message: "no" });
  const codes = () => live.diagnostics().map(({ code }) => code);
  const before = codes();
  expect(before).toContain("KMK4001");
  live.observe({ kind: "disconnected", proxy, reason: "the stream ended" });
  expect(codes()).toEqual(before);
  live.observe({ kind: "disconnected", proxy, reason: "the stream ended" });
  expect(codes().length).toBeLessThan(before.length - 1);
});
