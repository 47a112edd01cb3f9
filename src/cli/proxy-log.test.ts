import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { proxiesIn, proxyLogFile, readAccessLines, readKeptLog, renderAccessLine, toLineFilter } from "./proxy-log.ts";

let state: string;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "kumiko-proxy-log-"));
});

afterEach(() => rmSync(state, { recursive: true }));

/** A proxy's folder, as the agent leaves it. */
function addProxy(name: string, { isThere, written = 1000 }: { readonly isThere: boolean; readonly written?: number }): string {
  const file = proxyLogFile(state, { namespace: "shop", name });
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, "");
  utimesSync(file, written, written);
  if (isThere) writeFileSync(join(file, "../spec.json"), "{}");
  return file;
}

describe("of a Deployment that was rolled out, the Pod that is there is preferred", () => {
  test("while the mesh runs, however long it has been silent", () => {
    addProxy("users-a-1", { isThere: false, written: 9000 });
    addProxy("users-b-1", { isThere: true });
    expect(proxiesIn(state)).toEqual([
      { namespace: "shop", name: "users-a-1", ready: false },
      { namespace: "shop", name: "users-b-1", ready: true },
    ]);
  });

  test("and after the mesh has stopped the one that wrote to the end", () => {
    addProxy("users-a-1", { isThere: false });
    addProxy("users-b-1", { isThere: false, written: 9000 });
    expect(proxiesIn(state).map(({ ready }) => ready)).toEqual([false, true]);
  });

  test("and where no proxy ever ran there is none", () => {
    expect(proxiesIn(join(state, "nowhere"))).toEqual([]);
  });
});

test("what the agent cut off a log that grew is read before what came since", () => {
  const file = addProxy("users-1", { isThere: true });
  writeFileSync(`${file}.1`, "one\ntwo\n");
  writeFileSync(file, "three\n");
  expect(readKeptLog(file, 1)).toEqual({ text: "two\nthree\n", end: 6 });
});

const LOG = [
  "2026-01-01T00:00:00Z warning envoy has words of its own",
  '{"status":200,"response_flags":"-","response_code_details":"via_upstream"}',
  '{"status":404,"response_flags":"-","response_code_details":"via_upstream"}',
  '{"status":403,"response_flags":"-","response_code_details":"rbac_access_denied_matched_policy[none]"}',
  '{"response_flags":"-","connection_termination_details":"rbac_access_denied_matched_policy[none]"}',
  '{"status":503,"response_fl',
].join("\n");

test.each([
  { failed: false, status: undefined, found: [200, 404, 403, undefined] },
  { failed: true, status: undefined, found: [404, 403, undefined] },
  { failed: false, status: "4xx", found: [404, 403] },
  { failed: false, status: "200,403", found: [200, 403] },
  { failed: true, status: "200", found: [] },
])(
  "--failed $failed --status $status finds $found and passes over what is no whole line of the access log",
  ({ failed, status, found }) => {
    expect(readAccessLines(LOG, toLineFilter(failed, status)).map((line) => line.status)).toEqual(found);
  },
);

test.each(["abc", "600", "4x", "403;404"])("%s is no status", (status) => {
  expect(() => toLineFilter(false, status)).toThrow(/is not a status/);
});

describe("a line for people", () => {
  const render = (line: Parameters<typeof renderAccessLine>[0], because: Parameters<typeof renderAccessLine>[1] = []) =>
    renderAccessLine(line, because, "shop/users-1", (text) => text, "/home/me");

  test("has caller, workload, reason and where it is declared", () => {
    const line = { start_time: "T", status: 403, method: "GET", authority: "users", path: "/a", peer: "spiffe://x", request_id: "r" };
    const because = [{ resource: "AuthorizationPolicy/shop/users", source: "/home/me/policies.yaml:7" }];
    expect(
      render({ ...line, response_code_details: "rbac_access_denied_matched_policy[none]", upstream_cluster: "inbound|80||" }, because),
    ).toBe(
      "T 403 GET users/a spiffe://x → shop/users-1:80: denied: no AuthorizationPolicy allows it (policies.yaml:7 AuthorizationPolicy/shop/users) id r\n",
    );
  });

  test("of a connection has no method, and names the next hop", () => {
    const line = { downstream_remote_address: "10.0.0.1:5", upstream_cluster: "outbound|5432||db.data", upstream_host: "10.0.0.9:5432" };
    expect(render(line)).toBe("- - TCP 10.0.0.1 → db.data:5432 (10.0.0.9:5432)\n");
  });

  test("does nothing to the terminal, whatever a client sent", () => {
    expect(render({ status: 200, method: "GET", authority: "a", path: "/\u001b[2J\u009b2J" })).toContain("a/\\x1b[2J\\x9b2J");
  });
});
