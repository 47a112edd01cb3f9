import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLink } from "../agent/control-plane.ts";
import { type WorkloadCertificate, WorkloadKeys } from "../agent/keys.ts";
import { FakeXdsClient } from "../testing/fake-xds-client.ts";
import { ownCertificate } from "../testing/own-secrets.ts";
import { until } from "../testing/until.ts";
import { ask } from "./admin-client.ts";
import { type ControlPlane, startControlPlane } from "./compose.ts";
import { placesOf, readEnvironment } from "./config.ts";

interface Declared {
  readonly namespace: string;
  readonly account: string;
  readonly name: string;
  /** What its labels are; with `istio` it is a gateway. */
  readonly labels: Readonly<Record<string, string>>;
}

const GATEWAY = { istio: "ingressgateway" };
const EDGE = { istio: "egressgateway", edge: "shop" };

/** Ten identities, each with the one workload that is declared for it. */
const DECLARED: readonly Declared[] = [
  { namespace: "istio-ingress", account: "gateway", name: "gateway-1", labels: GATEWAY },
  { namespace: "istio-ingress", account: "other", name: "other-1", labels: { app: "other" } },
  { namespace: "istio-ingress", account: "default", name: "default-1", labels: {} },
  { namespace: "istio-ingress", account: "almost", name: "almost-1", labels: { istio: "ingressgateway-2" } },
  { namespace: "shop", account: "edge", name: "edge-1", labels: EDGE },
  { namespace: "shop", account: "users", name: "users-1", labels: { app: "users" } },
  { namespace: "shop", account: "default", name: "default-1", labels: {} },
  { namespace: "bank", account: "gateway", name: "gateway-1", labels: { app: "gateway" } },
  { namespace: "bank", account: "ledger", name: "ledger-1", labels: { app: "ledger" } },
  { namespace: "bank", account: "edge", name: "edge-1", labels: { edge: "shop" } },
];

const NAMESPACES = ["istio-ingress", "shop", "bank", "default", "kumiko-system"];
/** A hundred: twenty in each namespace, of which there are fifteen in all. */
const NAMES = NAMESPACES.flatMap((namespace) => Array.from({ length: 20 }, (_, i) => `kubernetes://${namespace}/cert-${i}`));
const OWN: Readonly<Record<string, readonly string[]>> = {
  "istio-ingress/gateway": [0, 1, 2, 3, 4].map((i) => `kubernetes://istio-ingress/cert-${i}`),
  "shop/edge": [0, 1].map((i) => `kubernetes://shop/cert-${i}`),
};

function manifests(): string {
  const { certificate, key } = ownCertificate();
  const data = JSON.stringify({ "tls.crt": certificate, "tls.key": key });
  const secrets = ["istio-ingress", "shop", "bank"].flatMap((namespace) =>
    [0, 1, 2, 3, 4].map(
      (i) =>
        `{apiVersion: v1, kind: Secret, metadata: {name: cert-${i}, namespace: ${namespace}}, type: kubernetes.io/tls, stringData: ${data}}`,
    ),
  );
  const gateway = (namespace: string, selector: object, count: number) => {
    const servers = Array.from({ length: count }, (_, i) => ({
      port: { number: 8443, name: `https-${i}`, protocol: "HTTPS" },
      tls: { mode: "SIMPLE", credentialName: `cert-${i}` },
      hosts: [`host-${i}.${namespace}.test`],
    }));
    const metadata = { name: "gateway", namespace };
    return JSON.stringify({ apiVersion: "networking.istio.io/v1", kind: "Gateway", metadata, spec: { selector, servers } });
  };
  const workloads = DECLARED.map(({ namespace, account, name, labels }, i) =>
    JSON.stringify({
      apiVersion: "networking.istio.io/v1",
      kind: "WorkloadEntry",
      metadata: { name, namespace },
      spec: { address: `10.9.0.${i + 1}`, serviceAccount: account, labels },
    }),
  );
  return [...secrets, gateway("istio-ingress", GATEWAY, 5), gateway("shop", EDGE, 2), ...workloads].join("\n---\n");
}

let dir: string;
let plane: ControlPlane;
let places: ReturnType<typeof placesOf>;
const certificates = new Map<string, WorkloadCertificate>();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "kattest-"));
  mkdirSync(join(dir, "manifests"));
  writeFileSync(join(dir, "manifests/mesh.yaml"), manifests());
  places = placesOf(dir, readEnvironment({ ...process.env, XDG_RUNTIME_DIR: dir }));
  plane = await start();
  for (const declared of DECLARED) certificates.set(keyOf(declared), await join_(declared));
});

function start(): Promise<ControlPlane> {
  return startControlPlane({
    version: "0",
    command: "serve",
    places,
    paths: [join(dir, "manifests")],
    dev: true,
    hosts: new Map(),
    authorities: [],
    listen: { host: "127.0.0.1", port: 0 },
    say: () => undefined,
  });
}

afterAll(async () => {
  await plane?.close();
  rmSync(dir, { recursive: true, force: true });
});

const keyOf = ({ namespace, account }: Pick<Declared, "namespace" | "account">) => `${namespace}/${account}`;
const addressOf = () => `localhost:${plane.port}`;

async function askForToken(
  body: object,
): Promise<{ readonly status: number; readonly body: { readonly token: string; readonly message: string } }> {
  const { status: code, body: answer } = await ask(places.adminSocket, "/kumiko/v1/join-tokens", { method: "POST", body });
  return { status: code, body: answer as { token: string; message: string } };
}

/** As an agent on another machine does it, with a token of the admin API. */
async function join_({ namespace, account, name }: Omit<Declared, "labels">, more: object = {}): Promise<WorkloadCertificate> {
  const { token: joinToken } = (await askForToken({ namespace, name, serviceAccount: account, ...more })).body;
  const identity = { trustDomain: "cluster.local", namespace, serviceAccount: account };
  let keys: WorkloadKeys | undefined;
  const link = createLink({ controlPlane: { address: addressOf(), joinToken }, identity, certificate: () => keys?.current });
  keys = new WorkloadKeys({
    identity,
    file: join(dir, `${namespace}-${account}.json`),
    sign: link.sign,
    pinnedRootsPem: link.rootsPem,
    onChange: () => {},
  });
  keys.start();
  const certificate = await until("there is a certificate", () => keys.current);
  keys.close();
  return certificate;
}

interface Claim {
  readonly type: "sidecar" | "router";
  readonly namespace: string;
  readonly name: string;
  readonly account: string;
  readonly labels: Readonly<Record<string, string>>;
}

function open(by: Pick<Declared, "namespace" | "account">, claim: Claim): FakeXdsClient {
  const certificate = certificates.get(keyOf(by)) as WorkloadCertificate;
  const key = certificate.key.unseal().export({ format: "pem", type: "pkcs8" });
  const { type, namespace, name, account, labels } = claim;
  return new FakeXdsClient("delta", {
    address: addressOf(),
    credentials: credentials.createSsl(Buffer.from(certificate.rootsPem), Buffer.from(key), Buffer.from(certificate.chainPem), {
      checkServerIdentity: () => undefined,
    }),
    nodeId: `${type}~10.9.0.1~${name}.${namespace}~${namespace}.svc.cluster.local`,
    nodeMetadata: { NAMESPACE: namespace, SERVICE_ACCOUNT: account, LABELS: { ...labels }, INSTANCE_IPS: "10.9.0.1,10.9.0.5" },
    acknowledges: true,
  });
}

/** The names of the Secrets that come, and how the stream ended if it did. */
async function askForAll(client: FakeXdsClient): Promise<{ readonly names: readonly string[]; readonly code: number | undefined }> {
  client.subscribe("secret", NAMES);
  client.subscribe("cluster");
  await until("an answer", () => client.status !== undefined || client.deltas.length >= 2);
  const given = client.deltas.flatMap(({ resources }) => resources.filter(({ name }) => name.startsWith("kubernetes://")));
  return {
    names: given
      .filter(({ resource }) => resource !== undefined)
      .map(({ name }) => name)
      .toSorted(),
    code: client.status?.code,
  };
}

const own = (declared: Declared): Claim => ({ ...declared, type: OWN[keyOf(declared)] !== undefined ? "router" : "sidecar" });

/** What a machine with one identity can say of itself. */
function claimsOf(by: Declared): readonly Claim[] {
  const names = [...new Set([...DECLARED.map(({ name }) => name), "unheard-of"])];
  const labels = [{}, by.labels, GATEWAY, EDGE];
  return (["sidecar", "router"] as const).flatMap((type) =>
    names.flatMap((name) => labels.map((said) => ({ type, name, namespace: by.namespace, account: by.account, labels: said }))),
  );
}

describe("over mTLS, Secrets", () => {
  test("go to the gateway that is declared for its identity, whatever labels it says that it has", async () => {
    for (const declared of DECLARED) {
      const client = open(declared, { ...own(declared), labels: {} });
      expect({ by: keyOf(declared), ...(await askForAll(client)) }).toEqual({
        by: keyOf(declared),
        names: OWN[keyOf(declared)] ?? [],
        code: undefined,
      });
      client.close();
    }
  });

  test("go to no other: ten identities, with every name, type and labels that they can say, while the gateways hold theirs", async () => {
    const warm = DECLARED.filter((one) => OWN[keyOf(one)] !== undefined).map((one) => open(one, own(one)));
    for (const client of warm) await askForAll(client);
    const leaks: unknown[] = [];
    const served: unknown[] = [];
    let count = 0;
    for (const by of DECLARED) {
      for (const claim of claimsOf(by)) {
        const client = open(by, claim);
        const { names, code } = await askForAll(client);
        client.close();
        count += 1;
        const isOwn = claim.name === by.name && claim.type === own(by).type;
        if (!isOwn && code !== status.PERMISSION_DENIED) served.push({ by: keyOf(by), claim, code });
        const wrong = names.filter((name) => !isOwn || !(OWN[keyOf(by)] ?? []).includes(name));
        if (wrong.length > 0) leaks.push({ by: keyOf(by), claim, wrong });
      }
    }
    for (const client of warm) client.close();
    expect(leaks).toEqual([]);
    expect(served).toEqual([]);
    expect(count).toBeGreaterThan(500);
  });

  test("go to none of another namespace or account by its saying so", async () => {
    for (const by of DECLARED) {
      for (const other of DECLARED) {
        if (keyOf(by) === keyOf(other)) continue;
        const client = open(by, own(other));
        expect(await askForAll(client)).toEqual({ names: [], code: status.PERMISSION_DENIED });
        client.close();
      }
    }
  });
});

describe("a join token", () => {
  const edge = { namespace: "shop", account: "second-edge", name: "second-edge-1" };
  const asGateway = { gateway: true, labels: EDGE, address: "10.9.0.99" };
  const claim: Claim = { ...edge, type: "router", labels: {} };

  test("describes a workload that no file declares: it is what the token says, also after a restart, and until it is deleted", async () => {
    certificates.set(keyOf(edge), await join_(edge, asGateway));
    const first = open(edge, claim);
    expect((await askForAll(first)).names).toEqual(OWN["shop/edge"]);
    first.close();
    await plane.close();
    plane = await start();
    const second = open(edge, claim);
    expect((await askForAll(second)).names).toEqual(OWN["shop/edge"]);
    const path = `/apis/networking.istio.io/v1/namespaces/shop/workloadentries/${edge.name}`;
    expect((await ask(places.adminSocket, path, { method: "DELETE" })).status).toBe(200);
    expect((await second.ended()).code).toBe(status.PERMISSION_DENIED);
    const third = open(edge, claim);
    expect(await askForAll(third)).toEqual({ names: [], code: status.PERMISSION_DENIED });
    for (const client of [second, third]) client.close();
  });

  test.each([
    {
      title: "another account than the declared one",
      body: { name: "users-1", serviceAccount: "edge" },
      says: "runs as service account users",
    },
    { title: "other labels than the declared ones", body: { name: "users-1", labels: EDGE }, says: /mesh\.yaml:\d+.*leave out --label/ },
    { title: "a gateway that is declared a sidecar", body: { name: "users-1", gateway: true }, says: "leave out --label" },
    { title: "nobody knows what", body: { name: "unheard-of" }, says: "--address IP" },
    { title: "no name", body: { name: "a/b", address: "10.9.0.98" }, says: "metadata.name" },
    {
      title: "the control plane itself",
      body: { namespace: "kumiko-system", name: "x", serviceAccount: "kumiko", address: "10.9.0.98" },
      says: "the control plane's own identity",
    },
  ])("for $title is not made", async ({ body, says }) => {
    const answer = await askForToken({ namespace: "shop", ...body });
    expect(answer.status).toBe(422);
    expect(answer.body.message).toMatch(says);
  });
});
