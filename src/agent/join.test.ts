import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { credentials, Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import {
  type Authority,
  authenticateLocalAgent,
  authenticateRemoteAgent,
  type CaEvent,
  createJoinTokens,
  listenTls,
  openAuthority,
  registerCa,
} from "../ca/index.ts";
import type { Identity } from "../model/identity.ts";
import { openSqliteStore } from "../store/index.ts";
import { until } from "../testing/until.ts";
import { type ControlPlaneAddress, createLink } from "./control-plane.ts";
import { type SignRequest, type WorkloadCertificate, WorkloadKeys } from "./keys.ts";

const identity = { trustDomain: "mesh.test", namespace: "shop", serviceAccount: "users" };
const URI = "spiffe://mesh.test/ns/shop/sa/users";
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function startControlPlane(trustDomain = "mesh.test", maxTtlMs = 3_600_000, now = Date.now) {
  const dir = mkdtempSync(join(tmpdir(), "kjoin-"));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  const authority = await openAuthority({ dir: join(dir, "ca"), trustDomain, dev: true, maxTtlMs, now });
  const store = openSqliteStore({ file: join(dir, "store.db") });
  cleanups.push(() => store.close());
  const tokens = createJoinTokens({ store, rootsPem: authority.rootsPem });
  const members: { isMember: (one: Identity) => boolean } = { isMember: () => true };
  const events: CaEvent[] = [];
  const server = new Server();
  const authenticate = authenticateRemoteAgent({ trustDomain, tokens, isMember: (one) => members.isMember(one) });
  registerCa(server, { authority, authenticate, observe: (event) => events.push(event) });
  const port = await listenTls(server, { host: "127.0.0.1", port: 0 }, authority, { now, lookMs: 20 });
  cleanups.push(() => port.close());
  cleanups.push(() => server.forceShutdown());
  return { dir, authority, tokens, members, events, address: `127.0.0.1:${port.port}` };
}

/** The keys of one workload on another machine. */
function joinWith(
  controlPlane: ControlPlaneAddress,
  dir: string,
  mine = identity,
  change: (sign: SignRequest) => SignRequest = (sign) => sign,
) {
  let keys: WorkloadKeys | undefined;
  const certificate = () => keys?.current;
  const link = createLink({ controlPlane, identity: mine, certificate });
  keys = new WorkloadKeys({
    identity: mine,
    file: join(dir, `${mine.serviceAccount}.json`),
    sign: change(link.sign),
    pinnedRootsPem: link.rootsPem,
    onChange: () => {},
  });
  cleanups.push(() => keys?.close());
  keys.start();
  return { keys, link };
}

const failureOf = (keys: WorkloadKeys) => until("it failed", () => keys.lastError);
const certificateOf = (keys: WorkloadKeys): Promise<WorkloadCertificate> => until("there is a certificate", () => keys.current);

describe("joining over TLS", () => {
  test("a token gives the first certificate, which then renews itself over mTLS", async () => {
    const { address, tokens, dir, events } = await startControlPlane("mesh.test", 3000);
    const { token } = await tokens.create({ identity });
    const { keys } = joinWith({ address, joinToken: token }, dir);
    const first = await certificateOf(keys);
    await until("it was renewed", () => (keys.current !== undefined && keys.current !== first ? keys.current : undefined));
    expect(events.filter(({ kind }) => kind === "signed").length).toBeGreaterThanOrEqual(2);
    expect(events.every((event) => event.kind === "signed" && event.identity === URI)).toBe(true);
  });

  test("the same token does not join a second machine", async () => {
    const { address, tokens, dir, events } = await startControlPlane();
    const { token } = await tokens.create({ identity });
    await certificateOf(joinWith({ address, joinToken: token }, dir).keys);
    const error = await failureOf(joinWith({ address, joinToken: token }, mkdir(dir)).keys);
    expect(error).toContain("request not authenticated");
    expect(events.at(-1)).toMatchObject({ kind: "unauthenticated" });
  });

  test("a workload that was taken out of the mesh renews no certificate", async () => {
    const { address, tokens, dir, events, members } = await startControlPlane("mesh.test", 2000);
    const { token } = await tokens.create({ identity });
    const { keys } = joinWith({ address, joinToken: token }, dir);
    await certificateOf(keys);
    members.isMember = () => false;
    await until("its last certificate has ended", () => keys.lastError !== undefined && keys.current === undefined);
    expect(keys.lastError).toContain("request not authenticated");
    expect(events.at(-1)).toMatchObject({ kind: "unauthenticated" });
  });

  test("an answer that was lost, or could not be used, doesn't spend the token: the same key joins with it, also after the agent starts again", async () => {
    const { address, tokens, dir, events } = await startControlPlane();
    const { token } = await tokens.create({ identity });
    const first = joinWith({ address, joinToken: token }, dir, identity, (sign) => async (csr) => {
      await sign(csr);
      throw new Error("the answer was lost");
    });
    expect(await failureOf(first.keys)).toContain("lost");
    first.keys.close();
    expect(await certificateOf(joinWith({ address, joinToken: token }, dir).keys)).toBeDefined();
    expect(new Set(events.map(({ kind }) => kind))).toEqual(new Set(["signed"]));
  });

  test("a token for another workload gives no certificate for this one", async () => {
    const { address, tokens, dir } = await startControlPlane();
    const { token } = await tokens.create({ identity: { ...identity, serviceAccount: "other" } });
    const { keys } = joinWith({ address, joinToken: token }, dir);
    expect(await failureOf(keys)).toContain("it is for spiffe://mesh.test/ns/shop/sa/other");
    expect(keys.current).toBeUndefined();
  });

  test("a server with another root gets no token", async () => {
    const honest = await startControlPlane();
    const impostor = await startControlPlane();
    const { token } = await honest.tokens.create({ identity });
    const { keys } = joinWith({ address: impostor.address, joinToken: token }, honest.dir);
    expect(await failureOf(keys)).toContain("does not show the root that the join token names");
    expect(impostor.events).toEqual([]);
  });

  test("neither token nor certificate: nothing is signed, and the identity that metadata names counts for nothing", async () => {
    const { address, authority, events, dir } = await startControlPlane();
    expect(await failureOf(joinWith({ address }, dir).keys)).toContain("neither a valid certificate nor a join token");
    const error = await askBare(address, authority, { "kumiko-identity": URI });
    expect(error).toMatchObject({ code: 16, details: "request not authenticated" });
    expect(events).toMatchObject([{ kind: "unauthenticated" }]);
  });

  test("a client certificate of another mesh is cut off", async () => {
    const { address } = await startControlPlane();
    const other = await startControlPlane("mesh.test");
    const { token } = await other.tokens.create({ identity });
    const { keys } = joinWith({ address: other.address, joinToken: token }, other.dir);
    const { key, chainPem } = await certificateOf(keys);
    const socket = connect({
      port: Number(address.split(":")[1]),
      host: "127.0.0.1",
      rejectUnauthorized: false,
      cert: chainPem,
      key: key.unseal().export({ format: "pem", type: "pkcs8" }),
      ALPNProtocols: ["h2"],
    });
    socket.on("error", () => undefined).resume();
    const isClosed = await new Promise((resolve) => socket.on("close", () => resolve(true)));
    expect(isClosed).toBe(true);
  });

  test("a clock that went two years on and came back leaves the port with a certificate that is valid", async () => {
    const clock = { offsetMs: 0 };
    const { address } = await startControlPlane("mesh.test", 3_600_000, () => Date.now() + clock.offsetMs);
    const shown = () => validityOf(address);
    const isValid = ({ notBeforeMs, notAfterMs }: Awaited<ReturnType<typeof shown>>) => {
      const now = Date.now() + clock.offsetMs;
      return notBeforeMs <= now && now < notAfterMs;
    };
    for (const offsetMs of [0, 2 * 365 * 24 * 3_600_000, 0]) {
      clock.offsetMs = offsetMs;
      expect(await until("the port shows a valid certificate", async () => isValid(await shown()))).toBe(true);
    }
  });

  test.each([
    { title: "TLS 1.3", options: { minVersion: "TLSv1.3" }, isTaken: true },
    { title: "TLS 1.2 with AES-GCM", options: { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" }, isTaken: true },
    { title: "TLS 1.2 with CBC and SHA-384", options: { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES256-SHA384" }, isTaken: false },
    { title: "TLS 1.2 with CBC and SHA-1", options: { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA" }, isTaken: false },
    { title: "TLS 1.1", options: { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" }, isTaken: false },
  ] as const)("$title: taken $isTaken", async ({ options, isTaken }) => {
    const { address } = await startControlPlane();
    const socket = connect({
      ...options,
      port: Number(address.split(":")[1]),
      host: "127.0.0.1",
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    cleanups.push(() => void socket.destroy());
    const opened = await new Promise((resolve) => socket.once("secureConnect", () => resolve(true)).once("error", () => resolve(false)));
    expect(opened).toBe(isTaken);
  });

  test("garbage on the port ends no process and serves the next caller", async () => {
    const { address, tokens, dir } = await startControlPlane();
    const { connect: open } = await import("node:net");
    for (let i = 0; i < 50; i++) {
      const socket = open(Number(address.split(":")[1]), "127.0.0.1");
      socket.on("error", () => undefined);
      await new Promise<void>((resolve) => socket.end(Buffer.alloc(200, i), () => resolve()));
    }
    const { token } = await tokens.create({ identity });
    expect(await certificateOf(joinWith({ address, joinToken: token }, dir).keys)).toBeDefined();
  });
});

describe("the Unix socket", () => {
  test("signs for the identity that the machine's agent names, and for none of another trust domain", async () => {
    const { dir, authority } = await startControlPlane();
    const server = new Server();
    registerCa(server, { authority, authenticate: authenticateLocalAgent("mesh.test") });
    const socket = join(dir, "cp.sock");
    await new Promise<void>((resolve) => server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), () => resolve()));
    cleanups.push(() => server.forceShutdown());
    await certificateOf(joinWith({ socket }, dir).keys);
    const foreign = joinWith({ socket }, dir, { ...identity, trustDomain: "other.test", serviceAccount: "foreign" });
    expect(await failureOf(foreign.keys)).toContain("request not authenticated");
  });
});

async function validityOf(address: string) {
  const socket = connect({ port: Number(address.split(":")[1]), host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] });
  try {
    await once(socket, "secureConnect");
    const { valid_from: from, valid_to: to } = socket.getPeerCertificate();
    return { notBeforeMs: Date.parse(from), notAfterMs: Date.parse(to) };
  } finally {
    socket.destroy();
  }
}

function mkdir(parent: string): string {
  return mkdtempSync(join(parent, "second-"));
}

async function askBare(address: string, authority: Authority, said: Record<string, string>): Promise<unknown> {
  const { Client } = await import("@grpc/grpc-js");
  const tls = credentials.createSsl(Buffer.from(authority.rootsPem), null, null, { checkServerIdentity: () => undefined });
  const client = new Client(address, tls, { "grpc.ssl_target_name_override": "kumiko" });
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(said)) metadata.set(key, value);
  const same = (bytes: Buffer) => bytes;
  const path = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
  try {
    return await new Promise((resolve) =>
      client.makeUnaryRequest(path, same, same, Buffer.alloc(0), metadata, {}, (error) => resolve(error)),
    );
  } finally {
    client.close();
  }
}
