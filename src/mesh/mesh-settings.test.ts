import { expect, test } from "vitest";
import { resourcesOf } from "../testing/mesh.ts";
import { resolveMeshSettings } from "./mesh-settings.ts";

const STDOUT = "/dev/stdout";

test.each([
  { what: "nothing said, zero-trust", profile: "zero-trust", mesh: "", log: { path: STDOUT, lines: "all" } },
  { what: "nothing said, istio", profile: "istio", mesh: "", log: { path: STDOUT, lines: "errors" } },
  { what: "a file, istio", profile: "istio", mesh: "accessLogFile: /dev/stderr", log: { path: "/dev/stderr", lines: "all" } },
  { what: "no file, zero-trust", profile: "zero-trust", mesh: 'accessLogFile: ""', log: undefined },
  { what: "no file, istio", profile: "istio", mesh: 'accessLogFile: ""', log: undefined },
  { what: "errors, zero-trust", profile: "zero-trust", access: "errors", mesh: "", log: { path: STDOUT, lines: "errors" } },
  { what: "errors of a file", profile: "istio", access: "errors", mesh: "accessLogFile: /x", log: { path: "/x", lines: "errors" } },
  { what: "all, istio", profile: "istio", access: "all", mesh: "", log: { path: STDOUT, lines: "all" } },
  { what: "off", profile: "zero-trust", access: "off", mesh: "accessLogFile: /x", log: undefined },
] as const)("the access log: $what", ({ profile, mesh, log, ...rest }) => {
  const access = "access" in rest ? `, kumiko.dev/access-log: "${rest.access}"` : "";
  const metadata = `metadata: {name: istio, namespace: istio-system, annotations: {kumiko.dev/profile: ${profile}${access}}}`;
  const resources = resourcesOf(`apiVersion: mesh.istio.io/v1alpha1\nkind: MeshConfig\n${metadata}\n${mesh}\n`);
  expect(resolveMeshSettings(resources).accessLog).toEqual(log);
});
