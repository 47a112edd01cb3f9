import "reflect-metadata";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials, ServerCredentials, status } from "@grpc/grpc-js";
import { Extension, PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } from "@peculiar/x509";
import { afterAll, describe, expect, test } from "vitest";
import type { Proxy } from "../model/proxy.ts";
import { FakeXdsClient } from "../testing/fake-xds-client.ts";
import { edsCluster, endpoints, snapshotOf } from "../testing/xds-fixture.ts";
import { createGrpcServer, createXdsService, type Peer } from "./index.ts";
import { identityOf, isOfDomain, mayBe } from "./peer.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const folder = mkdtempSync(join(tmpdir(), "kumiko-peer-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Made {
  readonly der: Uint8Array;
  readonly cert: Buffer;
  readonly key: Buffer;
}

async function certificate(
  names: readonly { readonly type: "url" | "dns"; readonly value: string }[],
  extensions: readonly Extension[] = [],
): Promise<Made> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const made = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=test",
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 600_000),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension([...names])]), ...extensions],
  });
  const key = PemConverter.encode(await crypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  return { der: new Uint8Array(made.rawData), cert: Buffer.from(made.toString("pem")), key: Buffer.from(key) };
}

const users = "spiffe://a.test/ns/shop/sa/users";

describe("the identity of a certificate", () => {
  test.each<{ title: string; names: readonly { type: "url" | "dns"; value: string }[]; expected: object | undefined }>([
    {
      title: "is its one URI name",
      names: [{ type: "url", value: users }],
      expected: { trustDomain: "a.test", namespace: "shop", serviceAccount: "users" },
    },
    {
      title: "is it beside DNS names",
      names: [
        { type: "dns", value: "localhost" },
        { type: "url", value: users },
      ],
      expected: { trustDomain: "a.test", namespace: "shop", serviceAccount: "users" },
    },
    {
      title: "is none with two URI names",
      names: [
        { type: "url", value: users },
        { type: "url", value: "spiffe://a.test/ns/shop/sa/admin" },
      ],
      expected: undefined,
    },
    { title: "is none without URI names", names: [{ type: "dns", value: "users.shop" }], expected: undefined },
    { title: "is none without names", names: [], expected: undefined },
    { title: "is none with a query", names: [{ type: "url", value: `${users}?x` }], expected: undefined },
    { title: "is not what a DNS name pretends", names: [{ type: "dns", value: `x, URI:${users}` }], expected: undefined },
  ])("$title", async ({ names, expected }) => {
    const { der } = await certificate(names);
    expect(identityOf(der)).toEqual(expected);
  });

  test("is none in bytes that are no certificate", () => {
    expect(identityOf(Uint8Array.of(1, 2, 3))).toBeUndefined();
  });
});

describe("a peer", () => {
  const proxy = { namespace: "shop", serviceAccount: "users" } as Proxy;
  const peer = (over: Partial<Peer>): Peer => ({
    transport: "mtls",
    identity: { trustDomain: "a.test", namespace: "shop", serviceAccount: "users" },
    address: "",
    ...over,
  });

  test.each([
    { title: "may be its own proxy", given: peer({}), allowed: true },
    {
      title: "may not be one of another namespace",
      given: peer({ identity: { trustDomain: "a.test", namespace: "bank", serviceAccount: "users" } }),
      allowed: false,
    },
    {
      title: "may not be one of another service account",
      given: peer({ identity: { trustDomain: "a.test", namespace: "shop", serviceAccount: "admin" } }),
      allowed: false,
    },
    { title: "may be none over mTLS without identity", given: peer({ identity: undefined }), allowed: false },
    { title: "may be any on the agent's own socket", given: peer({ transport: "unix", identity: undefined }), allowed: true },
  ])("$title", ({ given, allowed }) => {
    expect(mayBe(given, proxy) === true).toBe(allowed);
  });

  test("of another trust domain has no part in this mesh, whatever root signed for both", () => {
    expect(isOfDomain(peer({}), "a.test")).toBe(true);
    expect(isOfDomain(peer({}), "b.test")).toMatch(/a\.test.*b\.test/);
  });
});

test("over mTLS a client is served as the workload of its certificate, and as no other", async () => {
  const server = createGrpcServer();
  const [own, client] = await Promise.all([
    certificate([{ type: "dns", value: "localhost" }]),
    certificate([{ type: "url", value: "spiffe://a.test/ns/shop/sa/default" }]),
  ]);
  const service = createXdsService({
    snapshotFor: () => snapshotOf([edsCluster("a"), endpoints("a", [1])]),
    admit: (_peer, claimed) => claimed,
    observe: () => undefined,
  });
  service.register(server, "mtls");
  const port = await new Promise<number>((resolve, reject) => {
    const serving = ServerCredentials.createSsl(client.cert, [{ private_key: own.key, cert_chain: own.cert }], true);
    server.bindAsync("127.0.0.1:0", serving, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  const channel = credentials.createSsl(own.cert, client.key, client.cert);
  const good = new FakeXdsClient("delta", { address: `localhost:${port}`, credentials: channel });
  const bad = new FakeXdsClient("delta", {
    address: `localhost:${port}`,
    credentials: channel,
    nodeId: "sidecar~10.0.0.1~x.bank~bank.svc.cluster.local",
  });
  try {
    good.subscribe("cluster");
    bad.subscribe("cluster");
    expect((await good.next("cluster")).resources).toHaveLength(1);
    expect((await bad.ended()).code).toBe(status.PERMISSION_DENIED);
    expect(service.status()[0]?.peer.identity?.serviceAccount).toBe("default");
  } finally {
    good.close();
    bad.close();
    service.close();
    server.forceShutdown();
  }
});
