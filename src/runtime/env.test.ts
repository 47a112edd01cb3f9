import { describe, expect, test } from "vitest";
import { type EnvSources, expand, serviceVariables, toContainerEnv } from "./env.ts";
import type { Container, DesiredPod } from "./pod.ts";

const pod: DesiredPod = {
  namespace: "shop",
  name: "users-1",
  owner: { kind: "Deployment", namespace: "shop", name: "users" },
  revision: "r",
  labels: { app: "users" },
  annotations: { note: "hello" },
  serviceAccount: "users",
  capture: "sidecar",
  spec: { containers: [] },
};

const sources: EnvSources = {
  configMap: (namespace, name) => (namespace === "shop" && name === "settings" ? { data: { LEVEL: "debug", "bad key": "x" } } : undefined),
  secret: (namespace, name) => (namespace === "shop" && name === "db" ? { data: { password: "aHVudGVyMg==" } } : undefined),
  services: { USERS_SERVICE_HOST: "users" },
};

const envOf = (container: Partial<Container>, imageEnv = {}) =>
  toContainerEnv({ name: "app", ...container }, pod, "10.244.0.11", imageEnv, sources);

describe("toContainerEnv", () => {
  test.each<{ title: string; container: Partial<Container>; expected: Record<string, string> }>([
    { title: "a plain value", container: { env: [{ name: "A", value: "1" }] }, expected: { A: "1" } },
    {
      title: "a value that names an earlier variable",
      container: {
        env: [
          { name: "A", value: "1" },
          { name: "B", value: "$(A)-$(C)-$$(A)" },
          { name: "C", value: "late" },
        ],
      },
      expected: { B: "1-$(C)-$(A)" },
    },
    {
      title: "a key of a ConfigMap",
      container: { env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "settings", key: "LEVEL" } } }] },
      expected: { A: "debug" },
    },
    {
      title: "a key of a Secret, decoded",
      container: { env: [{ name: "A", valueFrom: { secretKeyRef: { name: "db", key: "password" } } }] },
      expected: { A: "hunter2" },
    },
    {
      title: "a whole ConfigMap with a prefix",
      container: { envFrom: [{ prefix: "X_", configMapRef: { name: "settings" } }] },
      expected: { X_LEVEL: "debug" },
    },
    {
      title: "env wins over envFrom",
      container: { envFrom: [{ configMapRef: { name: "settings" } }], env: [{ name: "LEVEL", value: "info" }] },
      expected: { LEVEL: "info" },
    },
    {
      title: "the pod's address",
      container: { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }] },
      expected: { A: "10.244.0.11" },
    },
    {
      title: "a label",
      container: { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } }] },
      expected: { A: "users" },
    },
    {
      title: "the service account",
      container: { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.serviceAccountName" } } }] },
      expected: { A: "users" },
    },
    {
      title: "services, which a container's own variable replaces",
      container: { env: [{ name: "USERS_SERVICE_HOST", value: "mine" }] },
      expected: { USERS_SERVICE_HOST: "mine" },
    },
  ])("$title", ({ container, expected }) => {
    expect(envOf(container)).toMatchObject({ values: expected, missing: [] });
  });

  test.each<{ title: string; container: Partial<Container>; missing: string }>([
    { title: "a ConfigMap", container: { envFrom: [{ configMapRef: { name: "nope" } }] }, missing: "ConfigMap shop/nope does not exist" },
    {
      title: "a key",
      container: { env: [{ name: "A", valueFrom: { secretKeyRef: { name: "db", key: "user" } } }] },
      missing: "Secret shop/db has no key user",
    },
    {
      title: "a field",
      container: { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "__proto__" } } }] },
      missing: "field __proto__ is not known",
    },
  ])("$title that is not there is named, without any value", ({ container, missing }) => {
    expect(envOf(container).missing).toEqual([missing]);
  });

  test("what is optional may be missing", () => {
    const env = [{ name: "A", valueFrom: { secretKeyRef: { name: "db", key: "user", optional: true } } }];
    expect(envOf({ env, envFrom: [{ secretRef: { name: "nope", optional: true } }] })).toMatchObject({ missing: [] });
  });
});

describe("expand", () => {
  test.each([
    ["$(A)", "1"],
    ["$$(A)", "$(A)"],
    ["$$$(A)", "$1"],
    ["$(constructor)", "$(constructor)"],
    ["$A ${A} $", "$A ${A} $"],
    ["$()", "$()"],
  ])("%s gives %s", (text, expected) => {
    expect(expand(text, { A: "1" })).toBe(expected);
  });
});

test("a service's variables are named as Kubernetes names them, the first port without a name", () => {
  const ports = [
    { name: "http", port: 80 },
    { name: "grpc-admin", port: 9000 },
  ];
  expect(serviceVariables({ name: "video-service", ports }, (port) => ({ host: "h", port }))).toEqual({
    VIDEO_SERVICE_SERVICE_HOST: "h",
    VIDEO_SERVICE_SERVICE_PORT: "80",
    VIDEO_SERVICE_SERVICE_PORT_HTTP: "80",
    VIDEO_SERVICE_SERVICE_PORT_GRPC_ADMIN: "9000",
  });
});
