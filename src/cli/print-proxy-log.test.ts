import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startAdmin } from "../admin/server.ts";
import { fakeBackend } from "../testing/admin-backend.ts";
import { fakeIo } from "../testing/fake-io.ts";
import { proxyLogFile } from "./proxy-log.ts";
import { run } from "./run.ts";

test("what decided is known however much a client writes into its request", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kumiko-print-"));
  const socket = join(folder, "admin.sock");
  const config = { type: "sidecar", snapshot: new Map(), locate: () => undefined } as const;
  const server = await startAdmin({ socket, backend: { ...fakeBackend(), configOf: () => config }, report: () => {} });
  onTestFinished(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });
  mkdirSync(join(folder, ".kumiko/logs"), { recursive: true });
  const file = proxyLogFile(join(folder, ".kumiko"), { namespace: "shop", name: "users-1" });
  mkdirSync(dirname(file), { recursive: true });
  const long = "x".repeat(30_000);
  const line = { status: 403, response_code_details: "rbac_access_denied_matched_policy[none]", upstream_cluster: "inbound|80||" };
  const client = { method: long, request_id: long, traceparent: long };
  writeFileSync(file, `${JSON.stringify({ ...line, ...client })}\n`.repeat(100));
  const { io, written } = fakeIo({ cwd: folder });
  expect(await run(["logs", "users-1", "--proxy", "--tail", "100", "-o", "json", "--socket", socket], io)).toBe(0);
  expect(written.err).toBe("");
  expect(written.out.split("Profile/zero-trust")).toHaveLength(101);
});
