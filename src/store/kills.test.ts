import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { soakRounds } from "../testing/soak.ts";
import { openSqliteStore } from "./sqlite.ts";

const ROUNDS = soakRounds(6, 500);
const WRITER = fileURLToPath(new URL("./kill-writer.fixture.ts", import.meta.url));

let folder = "";
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "kumiko-kills-"))));
afterEach(() => rm(folder, { recursive: true }));

let seed = 5;
const random = (below: number) => {
  seed = (seed * 48_271) % 2_147_483_647;
  return seed % below;
};

test(`every acknowledged write is there after each of ${ROUNDS} kill -9, whole and in order`, { timeout: 1_800_000 }, async ({
  annotate,
}) => {
  const file = join(folder, "state/store.db");
  const acknowledged: string[] = [];
  let slowestMs = 0;
  for (let round = 0; round < ROUNDS; round++) {
    // Some die before they have opened the store, or made it.
    acknowledged.push(...(await writeUntilKilled(file, round % 4 === 0 ? { afterMs: random(250) } : { afterWrites: 1 + random(60) })));
    const before = performance.now();
    const store = openSqliteStore({ file });
    slowestMs = Math.max(slowestMs, performance.now() - before);
    const { revision, entries } = await store.list({ kind: "Pod" });
    // Each transaction wrote one Pod and one Last: neither is there without the other, and none is missing in between.
    expect(entries.map((entry) => entry.revision).toSorted((one, other) => one - other)).toEqual(
      Array.from({ length: revision }, (_, i) => i + 1),
    );
    const stored = new Set(entries.map((entry) => `${entry.revision} ${entry.key.namespace} ${entry.key.name}`));
    expect(acknowledged.filter((line) => !stored.has(line))).toEqual([]);
    for (const { key, value } of entries) expect((value as { i: number }).i).toBe(Number(key.name));
    if (revision > 0) expect(await store.get({ kind: "Last", namespace: "", name: "write" })).toMatchObject({ revision });
    await store.close();
  }
  await annotate(`${acknowledged.length} acknowledged writes; the slowest opening took ${slowestMs.toFixed(0)} ms`);
  expect(acknowledged.length).toBeGreaterThan(ROUNDS);
});

async function writeUntilKilled(file: string, when: { readonly afterMs?: number; readonly afterWrites?: number }): Promise<string[]> {
  const child = spawn(process.execPath, [WRITER, file], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  const timer = when.afterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), when.afterMs);
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === when.afterWrites) child.kill("SIGKILL");
  }
  await closed;
  clearTimeout(timer);
  return lines;
}
