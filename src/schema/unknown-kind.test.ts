import { describe, expect, test } from "vitest";
import { findKind, kinds } from "./kinds.ts";
import { findOtherKind, otherKindsOf } from "./other-kinds.ts";
import { explainUnknownKind } from "./unknown-kind.ts";

const GATEWAY_API = "gateway.networking.k8s.io/v1";

describe("a kind that is not read is spoken of by what it promises", () => {
  test.each([
    ["HTTPRoute", GATEWAY_API, "warning", "no request takes its way"],
    ["GRPCRoute", GATEWAY_API, "warning", "no request takes its way"],
    ["TLSRoute", "gateway.networking.k8s.io/v1alpha2", "warning", "no request takes its way"],
    ["TCPRoute", GATEWAY_API, "warning", "no request takes its way"],
    ["UDPRoute", GATEWAY_API, "warning", "no request takes its way"],
    ["Gateway", GATEWAY_API, "warning", "no listener is opened"],
    ["Gateway", "networking.x-k8s.io/v1alpha1", "warning", "no listener is opened"],
    ["ListenerSet", GATEWAY_API, "warning", "no listener is opened"],
    ["GatewayClass", GATEWAY_API, "warning", "its settings have no effect"],
    ["BackendTLSPolicy", GATEWAY_API, "warning", "not made TLS"],
    ["ReferenceGrant", GATEWAY_API, "info", "isn't read either"],
    ["Ingress", "networking.k8s.io/v1", "warning", "no request takes its way"],
    ["Ingress", "extensions/v1beta1", "warning", "no request takes its way"],
    ["NetworkPolicy", "networking.k8s.io/v1", "warning", "connections that it would refuse are let through"],
    ["AdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1", "warning", "connections that it would refuse"],
    ["Sidecar", "networking.istio.io/v1", "warning", "reach every host"],
    ["EnvoyFilter", "networking.istio.io/v1alpha3", "warning", "checks and limits"],
    ["WasmPlugin", "extensions.istio.io/v1alpha1", "warning", "doesn't run"],
    ["DaemonSet", "apps/v1", "warning", "none of its programs is started"],
    ["Job", "batch/v1", "warning", "none of its programs is started"],
    ["Rollout", "argoproj.io/v1alpha1", "warning", "none of its programs is started"],
    ["Service", "serving.knative.dev/v1", "warning", "not started"],
    ["VirtualService", "appmesh.k8s.aws/v1beta2", "warning", "no request takes its way"],
    ["HorizontalPodAutoscaler", "autoscaling/v2", "info", "as many replicas"],
    ["PersistentVolumeClaim", "v1", "info", "a folder of this machine stands for it"],
    ["Certificate", "cert-manager.io/v1", "warning", "no certificate"],
    ["Telemetry", "telemetry.istio.io/v1", "warning", "stay as MeshConfig says"],
    ["PodDisruptionBudget", "policy/v1", "info", "has an effect on Kubernetes only"],
    ["ClusterRole", "rbac.authorization.k8s.io/v1", "info", "has an effect on Kubernetes only"],
  ])("%s of %s", (kind, apiVersion, severity, words) => {
    const explained = explainUnknownKind(apiVersion, kind);
    expect(explained).toMatchObject({ severity, message: expect.stringContaining(words) });
    expect(JSON.stringify(explained)).not.toContain("apiVersion:");
  });

  test.each([
    ["KatibConfig", "config.kubeflow.org/v1beta1"],
    ["Thing", "thing.k8s.io/v1"],
    ["Thing", "v1"],
  ])("%s of %s, which nobody has classed, is not known", (kind, apiVersion) => {
    expect(explainUnknownKind(apiVersion, kind)).toEqual({
      message: `kind "${kind}" of "${apiVersion}" is not known, and is skipped`,
      severity: "warning",
    });
  });

  test("no kind is both read and not", () => {
    const both = kinds.filter(({ group, kind }) => findOtherKind(group, kind) !== undefined || otherKindsOf(group).includes(kind));
    expect(both).toEqual([]);
  });
});

describe("advice", () => {
  test.each([
    ["networking.istio.io/v2", "VirtualService", "write apiVersion: networking.istio.io/v1 or"],
    ["networking.istio.io/v1", "AuthorizationPolicy", "write apiVersion: security.istio.io/v1 or"],
    ["networking.istio.oi/v1", "VirtualService", "did you mean apiVersion: networking.istio.io/v1?"],
    ["networking.istio.io/v1", "VirtualServce", "did you mean VirtualService?"],
    ["gateway.networking.k8s.io/v1", "HTTPRout", "did you mean HTTPRoute?"],
    ["v1", "Deployment", "write apiVersion: apps/v1"],
    ["extensions/v1beta1", "Deployment", "write apiVersion: apps/v1"],
    ["apps/v1", "Deploymnt", "did you mean Deployment?"],
  ])("for %s %s is: %s", (apiVersion, kind, help) => {
    expect(explainUnknownKind(apiVersion, kind).help).toMatch(new RegExp(`^${help.replaceAll(/[?.]/g, String.raw`\$&`)}`));
  });

  test.each([
    ["example.com/v1", "Gateway"],
    ["networking.k8s.io/v1", "Gateway"],
    ["gateway.nginx.org/v1alpha1", "Service"],
    ["discovery.k8s.io/v2", "Pod"],
    ["networking.gke.io/v1", "Servic"],
  ])("never leads from %s %s to a kind of another group", (apiVersion, kind) => {
    expect(findKind(apiVersion, kind)).toBeUndefined();
    expect(explainUnknownKind(apiVersion, kind).help).toBeUndefined();
  });
});
