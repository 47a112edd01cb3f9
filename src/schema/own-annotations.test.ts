import { expect, test } from "vitest";
import { checkDocument } from "./check-document.ts";

test.each([
  { annotation: { "kumiko.dev/profile": "istio" }, said: [] },
  { annotation: { "kumiko.dev/access-log": "errors" }, said: [] },
  { annotation: { "kumiko.dev/source": "mesh.yaml:3" }, said: [] },
  {
    annotation: { "kumiko.dev/profile": "isto" },
    said: ['KMK1002 annotation kumiko.dev/profile says "isto": it has no effect (write zero-trust, istio)'],
  },
  {
    annotation: { "kumiko.dev/access-log": "yes" },
    said: ['KMK1002 annotation kumiko.dev/access-log says "yes": it has no effect (write all, errors, off)'],
  },
  {
    annotation: { "kumiko.dev/accesslog": "off" },
    said: ["KMK1002 annotation kumiko.dev/accesslog is unknown: it has no effect (did you mean kumiko.dev/access-log?)"],
  },
])("of MeshConfig: $annotation", ({ annotation, said }) => {
  const value = {
    apiVersion: "mesh.istio.io/v1alpha1",
    kind: "MeshConfig",
    metadata: { name: "istio", namespace: "istio-system", annotations: annotation },
  };
  const { diagnostics } = checkDocument({ value, locate: () => ({ file: "a.yaml", line: 1, column: 1 }) });
  expect(diagnostics.map(({ code, message, help }) => `${code} ${message} (${help})`)).toEqual(said);
});
