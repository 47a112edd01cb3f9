import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const FIXTURE = fileURLToPath(new URL("./full-disk.fixture.ts", import.meta.url));
const UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"];
const canMount = spawnSync(UNSHARE[0] ?? "", [...UNSHARE.slice(1), "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "kumiko-full-"))));
afterEach(() => rmSync(folder, { recursive: true }));

interface Line {
  readonly what: string;
  readonly code?: string;
  readonly message?: string;
  readonly help?: string;
  readonly acknowledged?: number;
  readonly there?: number;
}

function run(command: readonly string[]): readonly Line[] {
  const [program = "", ...args] = command;
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

function expectNothingLost(lines: readonly Line[]): void {
  const kept = lines.find(({ what }) => what === "kept");
  expect(kept?.acknowledged).toBeGreaterThan(5);
  expect(kept?.there).toBe(kept?.acknowledged);
  expect(lines.at(-1)).toEqual({ what: "opened", there: kept?.acknowledged });
}

describe("a disk that", () => {
  test.skipIf(!canMount)("is full refuses the start and each write by what to type, and loses nothing", () => {
    const script = `mount -t tmpfs -o size=300k tmpfs ${folder} && exec ${process.execPath} ${FIXTURE} ${folder}/store.db start`;
    const lines = run([...UNSHARE, "sh", "-c", script]);
    const failures = lines.filter(({ code }) => code !== undefined);
    expect(failures.map(({ what }) => what)).toEqual(["start", "write", "write", "write"]);
    for (const { code, message, help } of failures) {
      expect(code).toBe("io");
      expect(message).toMatch(/no space left/);
      expect(help).toContain("df -h ");
    }
    expectNothingLost(lines);
  });

  test("fails to write refuses by what to type, and loses nothing", () => {
    // Beyond the limit the kernel answers EFBIG; its signal would end the process first.
    const script = `trap '' XFSZ; ulimit -f 200; exec ${process.execPath} ${FIXTURE} ${folder}/store.db`;
    const lines = run(["bash", "-c", script]);
    const failures = lines.filter(({ what }) => what === "write");
    expect(failures).toHaveLength(3);
    for (const { code, message, help } of failures) {
      expect(code).toBe("io");
      expect(message).toContain(`the store ${folder}/store.db can't be `);
      expect(help).toContain("df -h ");
    }
    expectNothingLost(lines);
  });
});
