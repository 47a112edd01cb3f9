import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Listener } from "../../ir/listener.ts";
import { INBOUND_TCP_SLOTS } from "../../ir/policy-slots.ts";
import type { AuthorizationRules } from "../../ir/policy.ts";
import { type EnvoyOracle, startEnvoyOracle } from "../../testing/envoy-oracle.ts";
import { freePort } from "../../testing/free-port.ts";
import { BACKEND, backend, type ServingEnvoy, startServingEnvoy } from "../../testing/serving-envoy.ts";
import { toExtensions } from "./extension.ts";
import { toEnvoyListener } from "./listener.ts";
import type { EnvoyResource } from "./resource.ts";

const empty = { enforced: false, policies: [] };
const folder = mkdtempSync(join(tmpdir(), "kumiko-log-"));
const path = join(folder, "access.log");
const settings = { profile: "istio", pathNormalization: "base", protocolDetectionTimeoutMs: 0, maxConnectionDurationMs: 0 } as const;

afterAll(() => rmSync(folder, { recursive: true }));

describe("the access log of a real Envoy", () => {
  let envoy: ServingEnvoy;
  beforeAll(async () => {
    envoy = await startServingEnvoy({ ...settings, accessLog: { path, lines: "all" } });
    const refusal = { name: "Profile/zero-trust", origin: [] };
    await envoy.setPolicies({
      authentication: { providers: [], origin: [] },
      custom: empty,
      deny: empty,
      allow: { enforced: true, policies: [], refusal },
    });
  });
  afterAll(() => envoy.close());

  test("names the policy that refused, and holds no secret of the request", async () => {
    await envoy.send("/videos?access_token=canary", { authorization: "Bearer canary", cookie: "session=canary" });
    const line = await lineWith("/videos");
    expect(JSON.parse(line)).toMatchObject({
      method: "GET",
      path: "/videos",
      status: 403,
      response_code_details: "rbac_access_denied_matched_policy[Profile/zero-trust]",
    });
    expect(readFileSync(path, "utf8")).not.toContain("canary");
  });
});

describe("where only errors are asked for, a real Envoy writes no line", () => {
  const errors = join(folder, "errors.log");
  let envoy: ServingEnvoy;
  beforeAll(async () => {
    envoy = await startServingEnvoy({ ...settings, accessLog: { path: errors, lines: "errors" } });
    await envoy.setPolicies({ authentication: { providers: [], origin: [] }, custom: empty, deny: empty, allow: empty });
  });
  afterAll(() => envoy.close());

  test("for an answer below 400, but for one of 400 and above, and for a gRPC call that failed with status 200", async () => {
    await envoy.send("/fine");
    await envoy.send("/absent", { "x-answer": "404" });
    await envoy.send("/grpc-fine", { "content-type": "application/grpc", "x-answer-grpc": "0" });
    await envoy.send("/grpc-failed", { "content-type": "application/grpc", "x-answer-grpc": "7" });
    await lineWith("/grpc-failed", errors);
    const paths = readFileSync(errors, "utf8")
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { path: string }).path);
    expect(paths.filter((path) => path !== "/")).toEqual(["/absent", "/grpc-failed"]);
  });
});

describe("where only errors are asked for, a connection of a real Envoy", () => {
  const file = join(folder, "tcp.log");
  const application = createServer((socket) =>
    socket
      .on("error", () => {})
      .resume()
      .end("hello"),
  );
  let oracle: EnvoyOracle;
  let port: number;
  beforeAll(async () => {
    await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
    port = await freePort();
    oracle = await startEnvoyOracle({ bindsPorts: true });
  });
  afterAll(async () => {
    await oracle.close();
    await new Promise((resolve) => application.close(resolve));
  });

  test("is a line where a policy refused it, and none where all is well", async () => {
    await oracle.judge(resources(empty));
    await untilRead(port, "hello");
    await oracle.judge(resources({ enforced: true, policies: [], refusal: { name: "Profile/zero-trust", origin: [] } }));
    await untilRead(port, "");
    await lineWith("rbac_access_denied", file);
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines.filter((line) => !line.includes("rbac_access_denied_matched_policy[Profile/zero-trust]"))).toEqual([]);
  });

  function resources(allow: AuthorizationRules): readonly EnvoyResource[] {
    const connection = { kind: "tcp", statPrefix: "t", destinations: [{ cluster: BACKEND, weight: 1 }], slots: INBOUND_TCP_SLOTS } as const;
    const http = { authentication: { providers: [], origin: [] }, custom: empty, deny: empty, allow: empty };
    const listener: Listener = {
      ...{ name: "tcp", address: "127.0.0.1", port, bindToPort: true, direction: "inbound", useOriginalDestination: false, origin: [] },
      ...{ inspect: { tls: false, http: false }, chains: [{ name: "tcp", match: {}, connection, origin: [] }] },
    };
    return [
      backend((application.address() as AddressInfo).port),
      toEnvoyListener(listener, { ...settings, accessLog: { path: file, lines: "errors" } }),
      ...toExtensions("sidecar", { http, tcp: { deny: empty, allow } }),
    ];
  }
});

/** Connects and says something until the answer is this. */
async function untilRead(port: number, wanted: string): Promise<void> {
  for (const end = performance.now() + 60_000; performance.now() < end; ) {
    if ((await readAll(port)) === wanted) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`no answer ${JSON.stringify(wanted)} within a minute`);
}

/** Undefined where nobody listens. */
function readAll(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = "";
    let isOpen = false;
    const socket = connect({ host: "127.0.0.1", port }, () => {
      isOpen = true;
      socket.write("hi");
    });
    socket.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    socket.on("error", () => {}).on("close", () => resolve(isOpen ? text : undefined));
  });
}

async function lineWith(text: string, file = path): Promise<string> {
  const end = performance.now() + 60_000;
  while (performance.now() < end) {
    const line = readFileSync(file, "utf8")
      .split("\n")
      .find((candidate) => candidate.includes(text));
    if (line !== undefined) return line;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("no line in the log within 15 s");
}
