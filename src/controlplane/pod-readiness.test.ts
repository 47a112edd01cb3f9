import { expect, test } from "vitest";
import { resourcesOf } from "../testing/mesh.ts";
import { readPod } from "./pod-readiness.ts";

const pod = (status: string, metadata = "") =>
  resourcesOf(`
apiVersion: v1
kind: Pod
metadata: { name: a, namespace: shop${metadata} }
spec: { containers: [{ name: app }] }
status: ${status}
`)[0]!;

const CRASHES = "{ conditions: [{ type: Ready, status: 'False', message: 'app: exit code 1; starts again in 1 s' }] }";

test.each([
  { status: "{ conditions: [{ type: Ready, status: 'True' }] }", readiness: { ready: true, message: "", stopping: false } },
  { status: CRASHES, readiness: { ready: false, message: "app: exit code 1; starts again in 1 s" } },
  { status: "{ podIP: 10.244.0.7 }", readiness: { ready: undefined, message: "", restarts: 0 } },
  { status: "{ conditions: [{ type: Ready, status: 'False', reason: Terminating }] }", readiness: { ready: false, stopping: true } },
  { status: "{ containerStatuses: [{ restartCount: 1 }, { restartCount: 3 }] }", readiness: { restarts: 3 } },
])("a Pod is as ready as the runtime says: $status", ({ status, readiness }) => {
  expect(readPod(pod(status))).toMatchObject(readiness);
});

test.each([
  { metadata: "", hasProxy: true },
  { metadata: ', labels: { sidecar.istio.io/inject: "false" }', hasProxy: false },
  { metadata: ', annotations: { sidecar.istio.io/inject: "false" }', hasProxy: false },
])("it has a proxy unless it declines one: $metadata", ({ metadata, hasProxy }) => {
  expect(readPod(pod("{}", metadata)).hasProxy).toBe(hasProxy);
});
