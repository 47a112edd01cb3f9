import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { holdsPrivateKey, isReadableAdminPath } from "./admin-relay.ts";
import { type ControlActions, serveControl } from "./control.ts";
import type { ProxySpec } from "./proxy-spec.ts";

let dir: string;
let server: Server;
let puts: ProxySpec[];
let removed: string[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "kcontrol-"));
  puts = [];
  removed = [];
  const actions: ControlActions = {
    async put(spec) {
      puts.push(spec);
      return { namespace: spec.namespace, name: spec.name } as never;
    },
    async remove(namespace, name) {
      removed.push(`${namespace}/${name}`);
      return name === "users-1";
    },
    drain: async (_namespace, name) => (name === "users-1" ? true : name === "away-1" ? false : undefined),
    readOpenWork: async (_namespace, name) =>
      name === "users-1" ? { requests: 2, connections: 3 } : name === "away-1" ? "unknown" : undefined,
    list: () => [],
    adminSocket: (_namespace, name) => (name === "users-1" ? join(dir, "nobody.sock") : undefined),
  };
  server = await serveControl(join(dir, "agent.sock"), actions);
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true, force: true });
});

async function ask(method: string, path: string, body?: string) {
  const sent = request({ socketPath: join(dir, "agent.sock"), method, path });
  sent.on("error", () => undefined);
  sent.end(body);
  const [response] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return { status: response.statusCode, body: JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown> };
}

const good = {
  addresses: ["10.244.0.7"],
  type: "sidecar",
  capture: "redirect",
  serviceAccount: "users",
  launch: ["nsenter", "--net=/proc/7/ns/net", "--"],
};

describe("the control API", () => {
  test("listens on a socket that only its owner can open", () => {
    expect(statSync(join(dir, "agent.sock")).mode & 0o777).toBe(0o600);
  });

  test("PUT takes a proxy and fills in what is left out", async () => {
    expect((await ask("PUT", "/proxies/shop/users-1", JSON.stringify(good))).status).toBe(200);
    expect(puts).toMatchObject([{ ...good, namespace: "shop", name: "users-1", cluster: "Kubernetes", dnsCapture: false }]);
  });

  test.each([
    { title: "no JSON", body: "{" },
    { title: "a list", body: "[]" },
    { title: "no address", body: JSON.stringify({ ...good, addresses: [] }) },
    { title: "an address that is none", body: JSON.stringify({ ...good, addresses: ["x"] }) },
    { title: "another type", body: JSON.stringify({ ...good, type: "waypoint" }) },
    { title: "a service account with a slash", body: JSON.stringify({ ...good, serviceAccount: "a/b" }) },
    { title: "a label that is a number", body: JSON.stringify({ ...good, labels: { app: 1 } }) },
    { title: "a port out of range", body: JSON.stringify({ ...good, localPorts: { "a:80": 70_000 } }) },
    { title: "a local address that others reach", body: JSON.stringify({ ...good, localAddresses: { a: "0.0.0.0" } }) },
    { title: "an outside port that is a text", body: JSON.stringify({ ...good, outsidePorts: { "a:80": "80" } }) },
    { title: "a resolver that is a name", body: JSON.stringify({ ...good, resolver: "dns.example:53" }) },
    { title: "a NUL in the launch prefix", body: JSON.stringify({ ...good, launch: ["a\0b"] }) },
    {
      title: "too many labels",
      body: JSON.stringify({ ...good, labels: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`l${i}`, "x"])) }),
    },
    { title: "too large a body", body: JSON.stringify({ ...good, pad: "x".repeat(2_000_000) }) },
  ])("PUT with $title is a 400 with a reason", async ({ body }) => {
    const answer = await ask("PUT", "/proxies/shop/users-1", body);
    expect(answer.status).toBe(400);
    expect(answer.body["error"]).toEqual(expect.any(String));
    expect(puts).toEqual([]);
  });

  test.each([
    { method: "GET", path: "/", status: 404 },
    { method: "GET", path: "/proxies/shop", status: 404 },
    { method: "GET", path: "/proxies/shop/nobody", status: 404 },
    { method: "POST", path: "/proxies", status: 405 },
    { method: "PATCH", path: "/proxies/shop/users-1", status: 405 },
    { method: "GET", path: "/proxies/..%2f/users-1", status: 404 },
    { method: "DELETE", path: "/proxies/shop/nobody", status: 404 },
    { method: "POST", path: "/proxies/shop/users-1/drain", status: 200 },
    { method: "POST", path: "/proxies/shop/away-1/drain", status: 502 },
    { method: "POST", path: "/proxies/shop/nobody/drain", status: 404 },
    { method: "GET", path: "/proxies/shop/users-1/drain", status: 404 },
    { method: "GET", path: "/proxies/shop/away-1/open", status: 502 },
    { method: "GET", path: "/proxies/shop/nobody/open", status: 404 },
    { method: "GET", path: "/proxies/shop/users-1/admin?path=/quitquitquit", status: 400 },
    { method: "GET", path: "/proxies/shop/users-1/admin?path=/config_dump", status: 502 },
    { method: "GET", path: "/proxies/shop/nobody/admin?path=/config_dump", status: 404 },
  ])("$method $path is $status", async ({ method, path, status }) => {
    expect((await ask(method, path)).status).toBe(status);
  });

  test("DELETE ends a proxy", async () => {
    expect((await ask("DELETE", "/proxies/shop/users-1")).status).toBe(200);
    expect(removed).toEqual(["shop/users-1"]);
  });

  test("what is open in a proxy can be asked", async () => {
    expect(await ask("GET", "/proxies/shop/users-1/open")).toEqual({ status: 200, body: { requests: 2, connections: 3 } });
  });
});

test.each([
  { path: "/config_dump?include_eds", readable: true },
  { path: "/stats/prometheus", readable: true },
  { path: "/quitquitquit", readable: false },
  { path: "/logging?level=trace", readable: false },
  { path: "/config_dump/../quitquitquit", readable: false },
  { path: "config_dump", readable: false },
  { path: "/config_dump\r\nX: y", readable: false },
  { path: "", readable: false },
])("the admin page $path may be read: $readable", ({ path, readable }) => {
  expect(isReadableAdminPath(path)).toBe(readable);
});

test.each(["", "x", "xx", "xxx"])("a private key is found as it is and in base64, after %j", (before) => {
  const pem = `${before}-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n`;
  expect(holdsPrivateKey(Buffer.from(pem))).toBe(true);
  expect(holdsPrivateKey(Buffer.from(Buffer.from(pem).toString("base64")))).toBe(true);
  expect(holdsPrivateKey(Buffer.from(`${before} private_key: [redacted], a PUBLIC KEY`))).toBe(false);
});
