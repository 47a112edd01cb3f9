import { appendFile, mkdir, mkdtemp, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { formatRef, refOf } from "../model/resource.ts";
import { openSqliteStore, type Store } from "../store/index.ts";
import { soakRounds } from "../testing/soak.ts";
import { type FileSource, startFileSource } from "./file-source.ts";
import { keptInStore } from "./kept-resources.ts";
import { lastGoodInStore } from "./last-good.ts";
import type { Declared } from "./merge.ts";

const ROUNDS = soakRounds(40, 1000);
const POLICIES = 10;
/** That nothing happens after it can only be seen by letting it pass. */
const QUIET_MS = 20;

let folder = "";
let store: Store;
let source: FileSource;
let declared: Declared;

const file = () => join(folder, "manifests/policies.yaml");
const document = (name: string) =>
  `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: ${name}
  namespace: shop
spec:
  action: DENY
  rules:
  - from:
    - source:
        principals: ["cluster.local/ns/shop/sa/${name}"]
    to:
    - operation:
        paths: ["/admin", "/internal"]
`;
const whole = Array.from({ length: POLICIES }, (_, i) => document(`p${i}`)).join("---\n");
const inForce = () => declared.resources.map((resource) => `${formatRef(refOf(resource))} ${resource.hash}`).toSorted();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kumiko-half-"));
  store = openSqliteStore({ file: join(folder, "store.db") });
});

afterEach(async () => {
  await source.close();
  await store.close();
  await rm(folder, { recursive: true });
});

async function start(): Promise<void> {
  source = await startFileSource({
    paths: [join(folder, "manifests")],
    lastGood: lastGoodInStore(store),
    kept: keptInStore(store),
    onChange: (next) => (declared = next),
    pollMs: 60_000,
    settleMs: 1,
    quietMs: QUIET_MS,
  });
}

/**
 * A whole line inside the last document, or exactly one document less, is what an edit looks like, too: those two are cut one character
 * earlier (docs/decisions, 7).
 */
function cutAt(random: number): number {
  const at = Math.floor(random * whole.length);
  const isEdit = whole[at - 1] === "\n" && at > whole.lastIndexOf("\n---\n");
  return isEdit ? at - 1 : at;
}

type Fault = (random: number) => Promise<void>;

const FAULTS: readonly Fault[] = [
  (random) => truncate(file(), cutAt(random)),
  () => truncate(file(), 0),
  (random) => writeFile(file(), `${whole.slice(0, cutAt(random))}\u0000\u0000`),
  () => rm(file()),
  () => rename(file(), `${file()}~`),
  async (random) => {
    await writeFile(`${file()}.tmp`, whole.slice(0, cutAt(random)));
    await rename(`${file()}.tmp`, file());
  },
  // A writer that pauses in the middle, and goes on.
  async (random) => {
    const at = Math.floor(random * whole.length);
    await writeFile(file(), whole.slice(0, at));
    await source.refresh();
    await appendFile(file(), whole.slice(at));
  },
];

test(`${ROUNDS} truncated, renamed and half writes take no policy away and change none`, { timeout: 1_800_000 }, async () => {
  await mkdir(join(folder, "manifests"));
  await writeFile(file(), whole);
  await start();
  const right = inForce();
  expect(right).toHaveLength(POLICIES);
  let seed = 7;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const lost: string[] = [];
  const look = async (what: string) => {
    await source.refresh();
    if (inForce().join("\n") !== right.join("\n")) lost.push(what);
  };
  for (let round = 0; round < ROUNDS; round++) {
    const fault = round % FAULTS.length;
    const at = random();
    await FAULTS[fault]?.(at);
    await look(`round ${round}: fault ${fault} at ${cutAt(at)}, at once`);
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS + 5));
    await look(`round ${round}: fault ${fault} at ${cutAt(at)}, when it had settled`);
    if (round % 10 === 0) {
      await source.close();
      await start();
      await look(`round ${round}: fault ${fault} at ${cutAt(at)}, after a restart`);
    }
    await writeFile(file(), whole);
    await look(`round ${round}: mended`);
  }
  expect(lost).toEqual([]);
  expect(declared.diagnostics).toEqual([]);
});
