import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { HeldRemoval } from "../admin/backend.ts";
import { type AdminServer, startAdmin } from "../admin/server.ts";
import { fakeBackend } from "../testing/admin-backend.ts";
import { fakeIo } from "../testing/fake-io.ts";
import { run } from "./run.ts";

const held = (file: string, name: string): HeldRemoval => ({
  file,
  reason: "gone",
  resource: { kind: "AuthorizationPolicy", namespace: "shop", name },
});

let folder: string;
let server: AdminServer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-cli-"));
  const heldRemovals = [held("/mesh/manifests/a.yaml", "a1"), held("/mesh/manifests/a.yaml", "a2"), held("/mesh/b.yaml", "b")];
  server = await startAdmin({
    socket: join(folder, "admin.sock"),
    backend: fakeBackend({ heldRemovals }),
    report: (error) => expect.unreachable(error.message),
  });
});

afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

async function type(...args: readonly string[]) {
  const { io, written } = fakeIo({ cwd: "/mesh" });
  const code = await run([...args, "--socket", join(folder, "admin.sock")], io);
  return { code, ...written };
}

test("all that is held back is listed and goes", async () => {
  expect(await type("accept-removals", "--dry-run")).toEqual({
    code: 0,
    err: "",
    out: [
      "AuthorizationPolicy/shop/a1 would go (it was in manifests/a.yaml)",
      "AuthorizationPolicy/shop/a2 would go (it was in manifests/a.yaml)",
      "AuthorizationPolicy/shop/b would go (it was in b.yaml)\n",
    ].join("\n"),
  });
  expect((await type("accept-removals")).out).toContain("AuthorizationPolicy/shop/b released (it was in b.yaml)");
  expect(await type("accept-removals")).toEqual({ code: 0, err: "", out: "nothing is held back\n" });
});

test("files and folders that are named limit it", async () => {
  expect(JSON.parse((await type("accept-removals", "b.yaml", "-o", "json")).out)).toEqual({ items: [held("/mesh/b.yaml", "b")] });
  expect((await type("accept-removals", "manifests", "--dry-run")).out).toContain("a2 would go");
  const refused = await type("accept-removals", "b.yaml");
  expect(refused).toMatchObject({ code: 4, err: expect.stringContaining("nothing of b.yaml is held back") });
  expect(refused.err).toContain("next: kumiko accept-removals --dry-run");
});

test("a file whose name has control characters is named as it is shown", async () => {
  await server.close();
  const heldRemovals = [held("/mesh/a\u001b[2J.yaml", "a"), held("/mesh/b.yaml", "b")];
  const report = (error: Error) => expect.unreachable(error.message);
  server = await startAdmin({ socket: join(folder, "admin.sock"), backend: fakeBackend({ heldRemovals }), report });
  expect((await type("accept-removals", "--dry-run")).out).toContain("(it was in a\\x1b[2J.yaml)");
  expect((await type("accept-removals", "a\\x1b[2J.yaml")).out).toBe("AuthorizationPolicy/shop/a released (it was in a\\x1b[2J.yaml)\n");
});
