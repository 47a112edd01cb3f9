import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EnvoyOracle, startEnvoyOracle } from "../testing/envoy-oracle.ts";
import { freePort } from "../testing/free-port.ts";
import { untilAnswered } from "../testing/local-http.ts";
import { meshOf, sidecar } from "../testing/mesh.ts";
import { createTranslator, toSnapshot } from "./index.ts";

interface Case {
  /** The Service's port name, which declares the protocol. */
  readonly portName: string;
  readonly policy: string;
  readonly serviceAccount: string;
}

/** The oracle's Envoy holds one certificate, of `ns/test/sa/test`: it is both sidecars at once, on two ports. */
const OWN_ACCOUNT = "test";
const IDENTITY = "spiffe://cluster.local/ns/test/sa/test";

describe("two sidecars on a real Envoy", () => {
  let oracle: EnvoyOracle;
  let application: Server;

  beforeAll(async () => {
    oracle = await startEnvoyOracle({ bindsPorts: true });
    application = createServer((incoming, answer) => answer.end(JSON.stringify(incoming.headers)));
    await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
  });

  afterAll(async () => {
    await oracle.close();
    application.closeAllConnections();
    await new Promise((resolve) => application.close(resolve));
  });

  async function call(given: Case, status: number) {
    const port = (application.address() as AddressInfo).port;
    const [inbound, outbound] = [await freePort(), await freePort()];
    const mesh = meshOf(meshYaml(given, port, inbound));
    const common = { namespace: "test", capture: "none", dnsCapture: false } as const;
    const server = sidecar({ ...common, name: "users-1" });
    const client = sidecar({
      ...common,
      name: "web-1",
      labels: { app: "web" },
      addresses: [],
      localPorts: { "users.test.svc.cluster.local:80": outbound },
    });
    const translator = createTranslator();
    const both = [client, server].flatMap((proxy) =>
      [...translator.translate(mesh, proxy).snapshot.values()].flatMap((byName) => [...byName.values()]),
    );
    const refused = (await oracle.judge(toSnapshot(both))).filter(({ outcome }) => outcome === "refused");
    expect(refused).toEqual([]);
    return untilAnswered(outbound, "/", (reply) => reply.status === status);
  }

  test.each([
    { title: "a declared HTTP port", portName: "http" },
    { title: "a port whose protocol nobody declared", portName: "web" },
  ])("$title: mTLS both ways, and the caller's identity arrives", async ({ portName }) => {
    const reply = await call({ portName, policy: "{ rules: [{}] }", serviceAccount: OWN_ACCOUNT }, 200);
    expect((JSON.parse(reply.body) as IncomingHttpHeaders)["x-forwarded-client-cert"]).toContain(`URI=${IDENTITY}`);
  });

  test.each([{ portName: "http" }, { portName: "web" }])(
    "a policy that allows nothing is answered 403 on port $portName",
    async ({ portName }) => {
      expect((await call({ portName, policy: "{}", serviceAccount: OWN_ACCOUNT }, 403)).body).toBe("RBAC: access denied");
    },
  );

  test("a policy by another identity is answered 403", async () => {
    const policy = "{ rules: [{ from: [{ source: { principals: [cluster.local/ns/test/sa/other] } }] }] }";
    expect((await call({ portName: "http", policy, serviceAccount: OWN_ACCOUNT }, 403)).status).toBe(403);
  });

  test("an endpoint that shows another identity than the service's gets no request", async () => {
    const reply = await call({ portName: "http", policy: "{ rules: [{}] }", serviceAccount: "somebody-else" }, 503);
    expect(reply.body).toContain("upstream connect error");
  });
});

function meshYaml({ portName, policy, serviceAccount }: Case, port: number, inbound: number): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: users, namespace: test }
spec: { selector: { app: users }, ports: [{ port: 80, name: ${portName}, targetPort: ${port} }] }
---
apiVersion: v1
kind: Pod
metadata:
  name: users-1
  namespace: test
  labels: { app: users }
  annotations: { sidecar.istio.io/status: "{}", kumiko.dev/sidecar-ports: '{"${port}": ${inbound}}' }
spec: { serviceAccountName: ${serviceAccount}, containers: [{ name: app, ports: [{ containerPort: ${port} }] }] }
status: { podIP: 127.0.0.1, conditions: [{ type: Ready, status: "True" }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: users, namespace: test }
spec: ${policy}
`;
}
