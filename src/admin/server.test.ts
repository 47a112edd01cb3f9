import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AdminBackend } from "./backend.ts";
import { type AdminServer, startAdmin } from "./server.ts";
import { fakeBackend, heldResource } from "../testing/admin-backend.ts";
import { type Call, callSocket } from "../testing/call-socket.ts";

const VIRTUAL_SERVICES = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices";
const virtualService = (name: string, extra: object = {}) => ({
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  metadata: { name, namespace: "shop" },
  spec: { hosts: [name] },
  ...extra,
});

// oxlint-disable-next-line typescript/no-explicit-any -- an answer has whatever shape the test then asserts
type Json = any;

let folder: string;
let server: AdminServer;
let faults: Error[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-admin-"));
  faults = [];
});

afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

async function start(over: Partial<AdminBackend> = {}): Promise<void> {
  const resources = [
    heldResource(
      {
        kind: "VirtualService",
        apiVersion: "networking.istio.io/v1",
        metadata: { name: "reviews", namespace: "shop", labels: { app: "reviews" } },
      },
      "folder",
    ),
    heldResource(
      { kind: "VirtualService", apiVersion: "networking.istio.io/v1", metadata: { name: "cart", namespace: "shop" } },
      "store",
      "7",
    ),
    heldResource({ kind: "VirtualService", apiVersion: "networking.istio.io/v1", metadata: { name: "cart", namespace: "other" } }),
    heldResource({
      kind: "Secret",
      apiVersion: "v1",
      metadata: {
        name: "tls",
        namespace: "shop",
        annotations: { "kubectl.kubernetes.io/last-applied-configuration": "c2VjcmV0LXBsYW50ZWQ=" },
      },
      body: { type: "kubernetes.io/tls", data: { "tls.key": "c2VjcmV0LXBsYW50ZWQ=" }, stringData: { password: "secret-planted" } },
    }),
  ];
  server = await startAdmin({
    socket: join(folder, "admin.sock"),
    backend: { ...fakeBackend({ resources }), ...over },
    report: (error) => faults.push(error),
  });
}

const call = (path: string, options?: Call) => callSocket(join(folder, "admin.sock"), path, options);

describe("POST …/deciders", () => {
  const accessLog = { path: "/dev/stdout", lines: "errors" } as const;
  const config = { type: "sidecar" as const, accessLog, snapshot: new Map(), locate: () => undefined };
  const ask = (body: unknown, name = "users-1") => call(`/kumiko/v1/proxies/shop/${name}/deciders`, { method: "POST", body });

  beforeEach(() => start({ configOf: ({ name }) => (name === "users-1" ? config : undefined) }));

  test("has an answer for each line, in order, also where nothing is known of it", async () => {
    const lines = [{ status: 403, response_code_details: "rbac_access_denied_matched_policy[none]", upstream_cluster: "inbound|80||" }, {}];
    expect((await ask({ lines })).body).toEqual({ items: [[{ resource: "Profile/zero-trust", source: "" }], []], accessLog });
  });

  test.each([{}, { lines: {} }, { lines: [1] }, { lines: [null] }, { lines: [[]] }, { lines: Array.from({ length: 1001 }, () => ({})) }])(
    "refuses what is no list of lines (%#)",
    async (body) => {
      expect((await ask(body)).code).toBe(422);
    },
  );

  test("of a proxy that never was is not found", async () => {
    expect((await ask({ lines: [] }, "nobody")).code).toBe(404);
  });
});

describe("the socket", () => {
  test("can be opened by its owner alone", async () => {
    await start();
    expect(statSync(join(folder, "admin.sock")).mode & 0o777).toBe(0o600);
  });

  test("that a dead process left is replaced", async () => {
    const dead = createServer().listen(join(folder, "old.sock"));
    await new Promise((resolve) => dead.once("listening", resolve));
    // A socket file without a listener: what a killed process leaves.
    const { renameSync } = await import("node:fs");
    renameSync(join(folder, "old.sock"), join(folder, "admin.sock"));
    await new Promise((resolve) => dead.close(resolve));
    await start();
    expect((await call("/version")).code).toBe(200);
  });

  test("of a control plane that answers is left alone", async () => {
    await start();
    await expect(start()).rejects.toThrow("another control plane answers");
    expect((await call("/version")).code).toBe(200);
  });

  test("is not made in place of a file that is no socket", async () => {
    writeFileSync(join(folder, "admin.sock"), "mine");
    await expect(start()).rejects.toThrow("can't listen");
    rmSync(join(folder, "admin.sock"));
    await start();
  });
});

describe("reading", () => {
  beforeEach(() => start());

  test("lists one namespace in the order of names", async () => {
    const { body } = await call(VIRTUAL_SERVICES);
    expect(body.kind).toBe("VirtualServiceList");
    expect(body.items.map((item: Json) => item.metadata.name)).toEqual(["cart", "reviews"]);
  });

  test("lists all namespaces, by label", async () => {
    expect((await call("/apis/networking.istio.io/v1/virtualservices")).body.items).toHaveLength(3);
    expect((await call("/apis/networking.istio.io/v1/virtualservices?labelSelector=app%3Dreviews")).body.items).toHaveLength(1);
    expect((await call("/apis/networking.istio.io/v1/virtualservices?labelSelector=((")).code).toBe(400);
  });

  test("says where a resource stands and who holds it", async () => {
    const { body } = await call(`${VIRTUAL_SERVICES}/reviews`);
    expect(body.metadata.annotations).toMatchObject({ "kumiko.dev/source": "manifests/reviews.yaml:3", "kumiko.dev/holder": "folder" });
  });

  test.each([
    {
      title: "a resource that isn't there",
      path: `${VIRTUAL_SERVICES}/none`,
      message: 'virtualservices "none" not found in namespace "shop"',
    },
    { title: "a misspelt kind", path: "/apis/networking.istio.io/v1/virtualservice", message: 'did you mean "virtualservices"' },
    { title: "a kind in the wrong group", path: "/api/v1/virtualservices", message: "did you mean" },
    { title: "a version that isn't there", path: "/apis/networking.istio.io/v9/virtualservices", message: "there is v1" },
    { title: "a path outside the API", path: "/metrics", message: "the API is below" },
    { title: "a subresource", path: "/api/v1/namespaces/shop/pods/x/exec", message: "no subresource" },
  ])("answers 404 to $title, and says what there is", async ({ path, message }) => {
    const { code, body } = await call(path);
    expect(code).toBe(404);
    expect(body).toMatchObject({ kind: "Status", status: "Failure", reason: "NotFound", code: 404 });
    expect(body.message).toContain(message);
  });

  test("never shows the values of a Secret", async () => {
    for (const path of ["/api/v1/namespaces/shop/secrets/tls", "/api/v1/secrets"]) {
      const { text } = await call(path);
      expect(text).toContain("tls.key");
      expect(text).not.toMatch(/secret-planted|c2VjcmV0LXBsYW50ZWQ/);
    }
  });

  test.each(["/version", "/api", "/api/v1", "/apis", "/apis/networking.istio.io", "/apis/networking.istio.io/v1"])(
    "tells kubectl about %s",
    async (path) => {
      const { code, body } = await call(path);
      expect(code).toBe(200);
      expect(Object.keys(body).length).toBeGreaterThan(1);
    },
  );
});

describe("writing", () => {
  beforeEach(() => start());

  test("creates, reads back, updates and deletes", async () => {
    const created = await call(VIRTUAL_SERVICES, { method: "POST", body: virtualService("users") });
    expect(created.code).toBe(201);
    const read = await call(`${VIRTUAL_SERVICES}/users`);
    const updated = await call(`${VIRTUAL_SERVICES}/users`, { method: "PUT", body: { ...read.body, spec: { hosts: ["other"] } } });
    expect(updated.code).toBe(200);
    expect(updated.body.spec.hosts).toEqual(["other"]);
    expect(updated.body.metadata.resourceVersion).not.toBe(read.body.metadata.resourceVersion);
    expect((await call(`${VIRTUAL_SERVICES}/users`, { method: "DELETE" })).body.status).toBe("Success");
    expect((await call(`${VIRTUAL_SERVICES}/users`)).code).toBe(404);
  });

  test("keeps what it adds to answers out of what it writes", async () => {
    let written: Json;
    await server.close();
    await start({ put: async (document, conditions) => fakeBackend().put((written = document), conditions) });
    const { body } = await call(`${VIRTUAL_SERVICES}/cart`);
    await call(`${VIRTUAL_SERVICES}/copy`, {
      method: "PUT",
      body: { ...body, metadata: { ...body.metadata, name: "copy", resourceVersion: undefined } },
    });
    expect(written.metadata).toEqual({ name: "copy", namespace: "shop", annotations: {} });
  });

  test.each([
    {
      title: "a resource that the folder declares",
      path: `${VIRTUAL_SERVICES}/reviews`,
      method: "PUT",
      body: virtualService("reviews"),
      code: 409,
      reason: "Conflict",
      message: "declared in manifests/reviews.yaml:3",
    },
    {
      title: "deleting a resource that the folder declares",
      path: `${VIRTUAL_SERVICES}/reviews`,
      method: "DELETE",
      code: 409,
      reason: "Conflict",
      message: "manifests/reviews.yaml:3",
    },
    {
      title: "an update of what has changed meanwhile",
      path: `${VIRTUAL_SERVICES}/cart`,
      method: "PUT",
      body: virtualService("cart", { metadata: { name: "cart", resourceVersion: "6" } }),
      code: 409,
      reason: "Conflict",
      message: "changed meanwhile",
    },
    {
      title: "creating what exists",
      path: VIRTUAL_SERVICES,
      method: "POST",
      body: virtualService("cart"),
      code: 409,
      reason: "AlreadyExists",
      message: "already exists",
    },
    {
      title: "deleting what isn't there",
      path: `${VIRTUAL_SERVICES}/none`,
      method: "DELETE",
      code: 404,
      reason: "NotFound",
      message: "not found",
    },
    {
      title: "an invalid resource",
      path: VIRTUAL_SERVICES,
      method: "POST",
      body: virtualService("bad", { spec: { wrong: 1 } }),
      code: 422,
      reason: "Invalid",
      message: "spec.wrong",
    },
    {
      title: "another name than the path's",
      path: `${VIRTUAL_SERVICES}/a`,
      method: "PUT",
      body: virtualService("b"),
      code: 400,
      reason: "BadRequest",
      message: "metadata.name",
    },
    {
      title: "another namespace than the path's",
      path: VIRTUAL_SERVICES,
      method: "POST",
      body: virtualService("b", { metadata: { name: "b", namespace: "x" } }),
      code: 400,
      reason: "BadRequest",
      message: "metadata.namespace",
    },
    {
      title: "a Secret that was read from here",
      path: "/api/v1/namespaces/shop/secrets",
      method: "POST",
      body: { metadata: { name: "copy" }, data: { a: "[redacted]" } },
      code: 422,
      reason: "Invalid",
      message: "redacted",
    },
    {
      title: "a body without a name",
      path: VIRTUAL_SERVICES,
      method: "POST",
      body: { metadata: {} },
      code: 422,
      reason: "Invalid",
      message: "metadata.name",
    },
  ])("refuses $title", async ({ path, method, body, code, reason, message }) => {
    const answer = await call(path, { method, ...(body !== undefined && { body }) });
    expect(answer.body).toMatchObject({ kind: "Status", code, reason });
    expect(answer.body.message).toContain(message);
    expect(answer.code).toBe(code);
  });

  test("names the field of a schema error among the causes", async () => {
    const { body } = await call(VIRTUAL_SERVICES, { method: "POST", body: virtualService("bad", { spec: { wrong: 1 } }) });
    expect(body.details.causes).toEqual([{ reason: "KMK1001", field: "spec.wrong", message: "spec.wrong: can't be here (remove it)" }]);
  });
});

test("a fault of ours is reported, not shown", async () => {
  await start({
    list: () => {
      throw new TypeError("secret-planted broke");
    },
  });
  const { code, text } = await call("/api/v1/pods");
  expect(code).toBe(500);
  expect(text).not.toContain("secret-planted");
  expect(faults).toHaveLength(1);
});
