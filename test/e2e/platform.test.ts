import { execFile } from "node:child_process";
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { delimiter } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type HttpAnswer, http, keepRequesting } from "./harness/http.ts";
import { identityProviderOf } from "./harness/identity-provider.ts";
import { copyPlatform, type Platform } from "./harness/platform.ts";
import { echoOf } from "./harness/shop.ts";
import { waitFor } from "./harness/wait.ts";

const USERS = "https://user.example.com/api/v1/users";
const VIDEOS = "https://video.example.com/api/v1/videos";
const ADMIN = "http://video-service.platform:9090/platform.video.v1.VideoAdmin/PublishVideo";

let platform: Platform;
let alice: string;
let bob: string;

beforeAll(async () => {
  platform = await copyPlatform();
  await platform.start();
  [alice, bob] = await Promise.all([platform.token("alice"), platform.token("bob")]);
});

afterAll(async () => {
  await platform?.stop();
  platform?.remove();
});

async function createVideo(token: string): Promise<string> {
  const answer = await platform.api(VIDEOS, { token, json: { title: "Lattice without nails" } });
  expect(answer.status, answer.body).toBe(201);
  const { id } = JSON.parse(answer.body) as { id: string };
  const headers = { "content-type": "video/mp4" };
  const upload = await platform.api(`${VIDEOS}/${id}/content`, { method: "PUT", token, headers, body: "\0\0\0\u0018ftypisom" });
  expect(upload.status, upload.body).toBe(200);
  return id;
}

describe("S1-11, flow 3.1: sign-up", () => {
  test("S1-01: HTTPS, JWT, mTLS and PostgreSQL over TLS: a profile is made, found, and made once", async () => {
    const first = await platform.api(USERS, { token: alice, json: { displayName: "Alice" } });
    expect(first.status, first.body).toBe(201);
    const profile = JSON.parse(first.body) as { id: string };
    expect(profile).toMatchObject({ subject: "alice", displayName: "Alice", email: "alice@example.com", role: "user" });
    const again = await platform.api(USERS, { token: alice, json: { displayName: "Alice" } });
    expect([again.status, JSON.parse(again.body)]).toEqual([200, profile]);
    const found = await platform.api(`${USERS}/me`, { token: alice });
    expect([found.status, JSON.parse(found.body)]).toEqual([200, profile]);
  });

  test("the database's connections are TLS that the proxies pass through", async () => {
    const expected = ["chat-service", "user-service", "video-service"].map((application) => ({ application, tls: true }));
    expect(await platform.databaseConnections()).toEqual(expected);
  });

  test("the command that `kumiko up` shows works as it stands, in any folder", async () => {
    const [, command = ""] = /^ {2}(curl .*)$/m.exec(platform.mesh().output()) ?? [];
    expect(command).toContain("token create alice");
    const PATH = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
    const env = { ...process.env, ...platform.env, PATH: PATH.join(delimiter) };
    const { stdout } = await promisify(execFile)("sh", ["-c", command], { cwd: platform.dir, env });
    expect(JSON.parse(stdout)).toMatchObject({ subject: "alice", displayName: "Alice" });
  });
});

describe("S1-02: by host and path", () => {
  test("users go to user-service, videos to video-service, under both names", async () => {
    const found = await Promise.all(
      [`${USERS}/me`, "https://user.example.com/api/v1/videos", VIDEOS].map((url) => platform.api(url, { token: alice })),
    );
    expect(found.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(JSON.parse(found[0]?.body ?? "")).toHaveProperty("subject", "alice");
    expect(JSON.parse(found[1]?.body ?? "")).toHaveProperty("videos");
    expect(JSON.parse(found[2]?.body ?? "")).toHaveProperty("videos");
  });

  test("a host that is not ours, and a path that is not the host's, are 404", async () => {
    expect(await platform.api(`${USERS}/me`, { token: alice, headers: { host: "other.example.com" } })).toMatchObject({ status: 404 });
    expect(await platform.api("https://video.example.com/api/v1/users/me", { token: alice })).toMatchObject({ status: 404 });
  });

  test("TLS for a name that is not ours is cut, and so is plain HTTP", async () => {
    await expect(platform.api("https://other.example.com/api/v1/users/me", { token: alice })).rejects.toThrow(/disconnected|ECONNRESET/);
    const { port } = platform;
    await expect(http(`http://user.example.com/api/v1/users/me`, { port, headers: { authorization: `Bearer ${alice}` } })).rejects.toThrow(
      /hang up|ECONNRESET/,
    );
  });

  test.each([
    "/platform.video.v1.VideoAdmin/PublishVideo",
    "/health/ready",
    "/metrics",
    "//platform.video.v1.VideoAdmin/PublishVideo",
    "/api/v1/videos/../../../platform.video.v1.VideoAdmin/PublishVideo",
    "/api/v1/videos/%2e%2e/%2e%2e/%2e%2e/platform.video.v1.VideoAdmin/PublishVideo",
    "/api/v1/videos/..%2f..%2f..%2fplatform.video.v1.VideoAdmin/PublishVideo",
  ])("%s has no way in, for admins neither", async (path) => {
    const answer = await platform.api(`https://video.example.com${path}`, { token: bob, method: "POST" });
    expect(answer).toMatchObject({ status: 403, body: "RBAC: access denied" });
  });
});

test("DR5: a canary's weight is raised while requests run: none fails, and both versions answer", async () => {
  const versions = new Set<unknown>();
  const load = keepRequesting(async () => {
    const answer = await platform.api("https://user.example.com/api/v1/videos", { token: alice });
    versions.add(answer.headers["x-service-version"]);
    return answer;
  }, 2);
  await waitFor("v1 answers", () => versions.has("v1"));
  expect([...versions]).toEqual(["v1"]);
  platform
    .mesh()
    .edit("infra/k8s/istio/routes.yaml", (text) => text.replaceAll("weight: 100", "weight: 50").replaceAll("weight: 0", "weight: 50"));
  await waitFor("v2 answers too", () => versions.has("v2"));
  expect(Object.keys((await load.stop()).byStatus)).toEqual(["200"]);
});

describe("S1-03: mTLS on every hop inside", () => {
  const forged = "By=spiffe://cluster.local/ns/platform/sa/prober;URI=spiffe://cluster.local/ns/platform/sa/user-service";

  test("a service learns the gateway's SPIFFE id; forged identities and mesh headers from outside do not arrive", async () => {
    const answer = await platform.api("https://video.example.com/api/v1/users/prober/headers", {
      token: alice,
      headers: {
        "x-forwarded-client-cert": forged,
        "x-envoy-internal": "true",
        "x-envoy-peer-metadata": "forged",
        "x-envoy-upstream-rq-timeout-ms": "1",
      },
    });
    expect(answer.status, answer.body).toBe(200);
    const { headers } = echoOf(answer.body);
    expect(headers["x-forwarded-client-cert"]).toMatch(/^By=[^;]+\/sa\/prober;Hash=[0-9a-f]{64};URI=[^;,]+$/);
    expect(headers["x-forwarded-client-cert"]).toContain("URI=spiffe://cluster.local/ns/istio-ingress/sa/platform-gateway");
    expect(headers).not.toHaveProperty("x-envoy-internal");
    expect(headers).not.toHaveProperty("x-envoy-peer-metadata");
    expect(headers).not.toHaveProperty("x-envoy-upstream-rq-timeout-ms");
    expect(headers["authorization"]).toBe(`Bearer ${alice}`);
  });

  test("a workload's own forged identity does not arrive either: its policy's answer stays 403", async () => {
    const answer = await platform.callFrom("prober", ADMIN, {
      method: "POST",
      token: bob,
      headers: { "x-forwarded-client-cert": forged },
    });
    expect(answer).toMatchObject({ status: 403 });
  });

  test("plain HTTP to a service's port is cut, where the same caller over mTLS gets the policy's 403", async () => {
    const plain = () => platform.callFrom("plain", "http://user-service.platform:8080/api/v1/users/me", { token: alice });
    expect(await plain()).toMatchObject({ status: 503 });
    const mutual = await platform.callFrom("plain", "http://video-service.platform:8080/api/v1/videos", { token: alice });
    expect(mutual).toMatchObject({ status: 403, body: "RBAC: access denied" });
    // It is STRICT that cuts it: without, the request gets as far as the policy.
    platform.mesh().edit("infra/k8s/istio/authentication.yaml", (text) => text.replaceAll("mode: STRICT", "mode: PERMISSIVE"));
    await waitFor("plain HTTP arrives, nameless", async () => (await plain()).status === 403);
    platform.mesh().edit("infra/k8s/istio/authentication.yaml", (text) => text.replaceAll("mode: PERMISSIVE", "mode: STRICT"));
    await waitFor("plain HTTP is cut again", async () => (await plain()).status === 503);
  });
});

describe("S1-04: every request from outside needs a good token", () => {
  const me = (token?: string, headers: Readonly<Record<string, string>> = {}) =>
    platform.api(`${USERS}/me`, { headers, ...(token !== undefined && { token }) });

  test("no token: 403, from the gateway itself", async () => {
    const answer = await me();
    expect(answer).toMatchObject({ status: 403, body: "RBAC: access denied" });
    expect(answer.headers).not.toHaveProperty("x-envoy-upstream-service-time");
  });

  test.each([
    { title: "one that has ended", option: "--ttl=-300", status: 401, body: "Jwt is expired" },
    { title: "one of another issuer", option: "--issuer=https://elsewhere.example.com", status: 401, body: "Jwt issuer is not configured" },
    { title: "one for another audience", option: "--audience=other", status: 403, body: "Audiences in Jwt are not allowed" },
  ])("$title: $status", async ({ option, status, body }) => {
    expect(await me(await platform.token("alice", option))).toMatchObject({ status, body });
  });

  test.each([
    { title: "a signature that is not its own", change: withSignatureOf, body: "Jwt verification fails" },
    { title: "the role changed under the signature", change: withRoleAdmin, body: "Jwt verification fails" },
    { title: "a key of the caller's own under the provider's kid", change: signedByAnother, body: "Jwt verification fails" },
    { title: "alg none without a signature", change: unsigned, body: /^Jwt is not in the form of Header\.Payload\.Signature/ },
    { title: "alg none with the old signature", change: algNone, body: /^Jwt header \[alg\]|not implemented/ },
    { title: "no JWT at all", change: () => "abc", body: /^Jwt is not in the form of Header\.Payload\.Signature/ },
  ])("$title: 401", async ({ change, body }) => {
    const answer = await me(change(alice, bob));
    expect([answer.status, answer.body]).toEqual([401, typeof body === "string" ? body : expect.stringMatching(body)]);
  });

  test("two tokens, both good or one of them bad: 401", async () => {
    for (const two of [
      [alice, bob],
      [unsigned(alice), bob],
      [bob, unsigned(alice)],
    ]) {
      expect(await me(two.join(", Bearer "))).toMatchObject({ status: 401 });
      expect(await platform.api(`${USERS}/me`, { headers: { authorization: two.map((token) => `Bearer ${token}`) } })).toMatchObject({
        status: 401,
      });
    }
  });

  test("a token in the query is none: 403 without one in the header, of no effect beside it", async () => {
    expect(await platform.api(`${USERS}/me?access_token=${alice}`)).toMatchObject({ status: 403 });
    const answer = await platform.api(`${USERS}/me?access_token=${bob}`, { token: alice });
    expect(JSON.parse(answer.body)).toHaveProperty("subject", "alice");
  });

  test("the claims that a policy reads cannot be sent as headers", async () => {
    const video = await createVideo(alice);
    const answer = await platform.api(`${USERS}/moderation/videos/${video}/publish`, {
      method: "POST",
      token: alice,
      headers: { "x-jwt-claim-role": "admin", "x-jwt-payload": alice.split(".")[1] ?? "" },
    });
    expect(answer.status).toBe(403);
  });
});

describe("S1-05 and S1-11, flow 3.2: user-service calls video-service's admin API", () => {
  const publish = (video: string, token: string) => platform.api(`${USERS}/moderation/videos/${video}/publish`, { method: "POST", token });
  const queue = (token: string) => platform.api(`${USERS}/moderation/videos`, { token });
  const find = async (video: string, token: string) => platform.api(`${VIDEOS}/${video}`, { token });
  /** video-service itself published the one, and saw nothing of who may not: that was refused in front of it. */
  const expectOnlyInLog = async (video: string, refused: string) => {
    await waitFor("the service logs the call", () => platform.mesh().logs().includes(`"videoId":"${video}"`));
    expect(platform.mesh().logs()).not.toContain(`"videoId":"${refused}"`);
    expect(platform.mesh().logs()).not.toContain('"code":"PERMISSION_DENIED"');
  };

  test("an admin publishes; a user is refused by the mesh, and nothing is published", async () => {
    const [refused, video] = [await createVideo(alice), await createVideo(alice)];
    const carol = await platform.token("carol");
    expect(await find(video, carol)).toMatchObject({ status: 404 });
    expect(await queue(alice)).toMatchObject({ status: 403 });
    expect((JSON.parse((await queue(bob)).body) as { videos: { id: string }[] }).videos.map(({ id }) => id)).toContain(video);
    expect(await publish(refused, alice)).toMatchObject({ status: 403 });
    const published = await publish(video, bob);
    expect(published.status, published.body).toBe(200);
    expect(JSON.parse((await find(video, carol)).body)).toMatchObject({
      id: video,
      owner: "alice",
      ownerName: "Alice Aoki",
      status: "published",
    });
    expect((await queue(bob)).body).not.toContain(video);
    expect(JSON.parse((await find(refused, alice)).body)).toMatchObject({ status: "draft" });
    await expectOnlyInLog(video, refused);
  });

  test("another workload of the namespace gets 403, with an admin's token too", async () => {
    const [refused, video] = [await createVideo(alice), await createVideo(alice)];
    for (const call of [{ token: bob }, { token: alice }, {}]) {
      const answer = await platform.callFrom("prober", ADMIN, { method: "POST", ...call });
      expect(answer).toMatchObject({ status: 403, body: "RBAC: access denied" });
    }
    expect(JSON.parse((await find(refused, alice)).body)).toMatchObject({ status: "draft" });
    expect(await publish(video, bob)).toMatchObject({ status: 200 });
    await expectOnlyInLog(video, refused);
  });

  test("inside, a token that must be refused outside is refused as well", async () => {
    const ended = await platform.token("bob", "--ttl=-300");
    expect(await platform.callFrom("prober", ADMIN, { method: "POST", token: ended })).toMatchObject({ status: 401 });
  });
});

describe("keys of the identity provider", () => {
  const me = async () => await platform.api(`${USERS}/me`, { token: alice });

  test("tokens hold while the provider is away, even when the control plane starts anew meanwhile, and after it is back", async () => {
    const provider = identityProviderOf(platform);
    await provider.takeAway();
    expect(await platform.kumiko("token", "create", "alice")).toMatchObject({ code: 1 });
    const load = keepRequesting(me, 2);
    const before = await controlPlane();
    process.kill(before.pid, "SIGKILL");
    await waitFor("another control plane has all proxies", async () => {
      const { pid, proxies } = await controlPlane();
      return (
        pid !== before.pid && proxies.length === before.proxies.length && proxies.every(({ config }) => config.kind === "acknowledged")
      );
    });
    expect(Object.keys((await load.stop()).byStatus)).toEqual(["200"]);
    await provider.giveBack();
    expect(await me()).toMatchObject({ status: 200 });
    expect(await platform.api(`${USERS}/me`, { token: await platform.token("alice") })).toMatchObject({ status: 200 });
  });
});

async function controlPlane(): Promise<{
  readonly pid: number;
  readonly proxies: readonly { readonly config: { readonly kind: string } }[];
}> {
  // It fails while a program outside is away, which is another matter.
  const { stdout, stderr } = await platform.kumiko("status", "-o", "json");
  if (stdout === "") throw new Error(`the control plane does not answer: ${stderr}`);
  return JSON.parse(stdout) as Awaited<ReturnType<typeof controlPlane>>;
}

describe("data and secrets", () => {
  test("data survives down and up; tokens from before are still good", async () => {
    const before = JSON.parse((await platform.api(`${USERS}/me`, { token: alice })).body) as unknown;
    const down = await platform.kumiko("down");
    expect(down).toMatchObject({ code: 0, stdout: `stopped the mesh of ${platform.dir}\n` });
    await platform.mesh().ended;
    await platform.start();
    const after: HttpAnswer = await platform.api(`${USERS}/me`, { token: alice });
    expect([after.status, JSON.parse(after.body)]).toEqual([200, before]);
  });

  test("no token, password or key is in what was printed, logged or can be asked for", async () => {
    const pods = (await platform.kumiko("get", "pods", "-A", "-o", "json")).stdout;
    const { items } = JSON.parse(pods) as { items: { metadata: { name: string; namespace: string } }[] };
    const dumps = await Promise.all(
      items.map(({ metadata }) => platform.kumiko("proxy", "dump", metadata.name, "-n", metadata.namespace, "-o", "json")),
    );
    const status = await platform.kumiko("status", "-o", "json");
    const all = [platform.mesh().output(), platform.mesh().logs(), pods, status.stdout, ...dumps.map(({ stdout }) => stdout)];
    expect(dumps.every(({ stdout }) => stdout.length > 10_000)).toBe(true);
    const planted = [...platform.secrets(), alice.split(".")[2] ?? "", bob.split(".")[2] ?? ""];
    expect(planted.length).toBeGreaterThan(8);
    for (const [index, text] of all.entries()) {
      for (const [number, secret] of planted.entries()) expect(text.includes(secret), `text ${index} holds secret ${number}`).toBe(false);
      expect(text).not.toMatch(/PRIVATE KEY-----\\?n?[A-Za-z0-9+/]/);
    }
  });
});

function withSignatureOf(token: string, other: string): string {
  return [...token.split(".").slice(0, 2), other.split(".")[2]].join(".");
}

function withClaims(token: string, change: Readonly<Record<string, unknown>>, header: Readonly<Record<string, unknown>> = {}): string[] {
  const read = (part = "") => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;
  const write = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const [head, claims, signature = ""] = token.split(".");
  return [write({ ...read(head), ...header }), write({ ...read(claims), ...change }), signature];
}

function withRoleAdmin(token: string): string {
  return withClaims(token, { role: "admin" }).join(".");
}

function signedByAnother(token: string): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const text = withClaims(token, { role: "admin", jti: randomUUID() }).slice(0, 2).join(".");
  return `${text}.${sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

function unsigned(token: string): string {
  return `${withClaims(token, {}, { alg: "none" }).slice(0, 2).join(".")}.`;
}

function algNone(token: string): string {
  return withClaims(token, {}, { alg: "none" }).join(".");
}
