import { expect, test } from "vitest";
import { fakeBackend, heldResource } from "../testing/admin-backend.ts";
import { replicaStatus } from "./replica-status.ts";

const labels = { app: "web" };
const workload = (kind: string, name: string) =>
  heldResource({
    apiVersion: "apps/v1",
    kind,
    metadata: { name, namespace: "shop" },
    body: { spec: { selector: { matchLabels: labels } } },
  });

function pod(name: string, ownerKind: string, ownerName: string, { isReady = true, namespace = "shop" } = {}) {
  const status = { conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] };
  const owner = { apiVersion: "apps/v1", kind: ownerKind, name: ownerName };
  return heldResource({ apiVersion: "v1", kind: "Pod", metadata: { name, namespace, labels, owner }, body: { status } });
}

test("a workload's replicas are the Pods that it owns, whatever other Pods are named and labelled", () => {
  const backend = fakeBackend({
    resources: [
      pod("web-5d4c-1", "Deployment", "web"),
      pod("web-5d4c-2", "Deployment", "web", { isReady: false }),
      // Of a workload whose name begins with this one's, of another kind, of another namespace, and of nobody.
      pod("web-api-7f9b-1", "Deployment", "web-api"),
      pod("web-0", "StatefulSet", "web"),
      pod("web-5d4c-1", "Deployment", "web", { namespace: "other" }),
      heldResource({ apiVersion: "v1", kind: "Pod", metadata: { name: "web-debug", namespace: "shop", labels } }),
    ],
  });
  const none = { replicas: 0, readyReplicas: 0, availableReplicas: 0 };
  expect(replicaStatus(backend, workload("Deployment", "web"))).toEqual({ replicas: 2, readyReplicas: 1, availableReplicas: 1 });
  expect(replicaStatus(backend, workload("StatefulSet", "web"))).toEqual({ replicas: 1, readyReplicas: 1, availableReplicas: 1 });
  expect(replicaStatus(backend, workload("Deployment", "w"))).toEqual(none);
  expect(replicaStatus(backend, workload("Service", "web"))).toBeUndefined();
});
