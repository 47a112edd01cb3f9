import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { formatRef, refOf } from "../model/resource.ts";
import type { ResourcePath } from "../model/resource-path.ts";
import { openSqliteStore, type Store } from "../store/index.ts";
import { type FileSource, startFileSource } from "./file-source.ts";
import { keptInStore } from "./kept-resources.ts";
import { type LastGoodTexts, lastGoodInStore } from "./last-good.ts";
import type { Declared } from "./merge.ts";

const QUIET_MS = 40;

let folder = "";
let dir = "";
let store: Store;
let source: FileSource;
let seen: Declared[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kumiko-removals-"));
  dir = join(folder, "manifests");
  await mkdir(dir);
  store = openSqliteStore({ file: join(folder, "store.db") });
  seen = [];
});

afterEach(async () => {
  await source.close();
  await store.close();
  await rm(folder, { recursive: true });
});

const start = async (paths: readonly ResourcePath[] = [dir], onFailure?: (error: unknown) => void) => {
  const onChange = (declared: Declared) => void seen.push(declared);
  const [lastGood, kept] = [lastGoodInStore(store), keptInStore(store)];
  source = await startFileSource({
    paths,
    onChange,
    lastGood,
    kept,
    pollMs: 60_000,
    settleMs: 5,
    quietMs: QUIET_MS,
    ...(onFailure && { onFailure }),
  });
};
/** What a control plane that starts again over the same files and store knows. */
const restart = async () => {
  await source.close();
  await store.close();
  store = openSqliteStore({ file: join(folder, "store.db") });
  await start();
};
const write = (name: string, ...documents: readonly string[]) => writeFile(join(dir, name), documents.join("---\n"));
const policy = (name: string, extra = "", kind = "AuthorizationPolicy") =>
  `apiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: shop}\nspec:\n  selector: {matchLabels: {app: ${name}}}\n${extra}`;
const deny = (name: string) => policy(name, "  action: DENY\n  rules:\n  - to: [{operation: {paths: [/admin]}}]\n");
const workload = (name: string) => `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ${name}, namespace: shop}\n`;
const last = () => seen.at(-1) ?? { resources: [], diagnostics: [] };
const names = () => last().resources.map(({ metadata }) => metadata.name);
const problems = () => last().diagnostics.map(({ code, message }) => `${code} ${message.replaceAll(`${dir}/`, "")}`);
const until = (condition: () => void) => vi.waitFor(condition, { timeout: 10_000, interval: 10 });

describe("is held back, said with its command, and outlives the process:", () => {
  test.each([
    {
      what: "a policy whose file is gone",
      change: () => rm(join(dir, "p.yaml")),
      stays: ["p1", "p2", "p3"],
      says: "p.yaml is gone: AuthorizationPolicy/shop/p1, AuthorizationPolicy/shop/p2, AuthorizationPolicy/shop/p3 stay in force",
    },
    {
      what: "everything in a file that is empty",
      change: () => write("p.yaml", ""),
      stays: ["p1", "p2", "p3", "w"],
      says: "p.yaml declares nothing any more: AuthorizationPolicy/shop/p1, AuthorizationPolicy/shop/p2, AuthorizationPolicy/shop/p3 and 1 more stay in force",
    },
    {
      what: "everything in a file that has become something else",
      change: () => write("p.yaml", "hello: world\n"),
      stays: ["p1", "p2", "p3", "w"],
      says: "p.yaml declares nothing any more: AuthorizationPolicy/shop/p1, AuthorizationPolicy/shop/p2, AuthorizationPolicy/shop/p3 and 1 more stay in force",
    },
    {
      what: "several policies that vanish from a file that goes on",
      change: () => write("p.yaml", deny("p1"), workload("w")),
      stays: ["p1", "w", "p2", "p3"],
      says: "several that restrict vanished at once, out of p.yaml: AuthorizationPolicy/shop/p2, AuthorizationPolicy/shop/p3 stay in force",
    },
    {
      what: "a policy in whose place a document can't be recognised",
      change: () =>
        write("p.yaml", deny("p1"), deny("p2").replace("AuthorizationPolicy", "AuthorisationPolicy"), deny("p3"), workload("w")),
      stays: ["p1", "p3", "w", "p2"],
      says: "p.yaml has a document that can't be used, and others are missing: AuthorizationPolicy/shop/p2 stays in force",
    },
  ])("$what", async ({ change, stays, says }) => {
    await write("p.yaml", deny("p1"), deny("p2"), deny("p3"), workload("w"));
    await write("other.yaml", deny("other"));
    await start();
    await change();
    await until(() => expect(problems()).toContain(`KMK0004 ${says}`));
    expect(last().diagnostics.find(({ code }) => code === "KMK0004")?.help).toContain(`kumiko accept-removals ${join(dir, "p.yaml")}`);
    expect(names()).toEqual(["other", ...stays]);
    await restart();
    expect(names()).toEqual(["other", ...stays]);
    expect(problems()).toContain(`KMK0004 ${says}`);

    const released = await source.acceptRemovals();
    expect(released.length).toBeGreaterThan(0);
    expect(problems().filter((line) => line.startsWith("KMK0004"))).toEqual([]);
    expect(names()).not.toContain(released[0]?.resource.metadata.name);
    const after = names();
    await restart();
    expect(names()).toEqual(after);
  });

  test("a policy that is missing where another one of the file is wrong", async () => {
    await write("p.yaml", deny("p1"), deny("p2"), deny("p3"));
    await start();
    await write("p.yaml", deny("p1"), deny("p2").replace("DENY", "NO"));
    const says = "KMK0004 p.yaml has a document that can't be used, and others are missing: AuthorizationPolicy/shop/p3 stays in force";
    await until(() => expect(problems()).toContain(says));
    await restart();
    expect([names(), problems()]).toEqual([["p1", "p2", "p3"], expect.arrayContaining([says])]);
  });

  test("a file that ends where no edit ends, whole", async () => {
    const [one, two] = [deny("p1"), deny("p2")];
    for (const [text, line] of [
      [`${one}---\n${two.slice(0, -5)}`, 17],
      [`${one}---\n${two.slice(0, two.indexOf(" rules:") + 8)}`, 16],
      [one.slice(0, one.indexOf("spec:")), 3],
    ] as const) {
      await write("p.yaml", one, two);
      await start();
      const right = last().resources.map(({ hash }) => hash);
      await writeFile(join(dir, "p.yaml"), text);
      await until(() => expect(last().diagnostics).toMatchObject([{ code: "KMK0002", position: { line } }, { code: "KMK0006" }]));
      expect(last().resources.map(({ hash }) => hash)).toEqual(right);
      await restart();
      expect(last().resources.map(({ hash }) => hash)).toEqual(right);
      await source.close();
    }
  });

  test("a policy that vanished while no process ran", async () => {
    await write("p.yaml", deny("p1"));
    await write("q.yaml", workload("w"));
    await start();
    await source.close();
    await rm(join(dir, "p.yaml"));
    await rm(join(dir, "q.yaml"));
    await start();
    expect(names()).toEqual(["p1"]);
    expect(problems()).toEqual(["KMK0004 p.yaml is gone: AuthorizationPolicy/shop/p1 stays in force"]);
  });
});

test("what is held back below one path outlives a process that reads another one", async () => {
  await write("p.yaml", deny("p1"));
  await start();
  await rm(join(dir, "p.yaml"));
  await until(() => expect(problems()).toHaveLength(1));
  await source.close();
  await mkdir(join(folder, "other"));
  await start([join(folder, "other")]);
  expect(names()).toEqual([]);
  await source.close();
  await start();
  expect(names()).toEqual(["p1"]);
});

describe("ends a hold:", () => {
  test("the file that comes back, in another place too", async () => {
    await write("p.yaml", deny("p1"), deny("p2"));
    await start();
    await rename(join(dir, "p.yaml"), join(dir, "p.txt"));
    await until(() => expect(problems()).toHaveLength(1));
    await rename(join(dir, "p.txt"), join(dir, "z.yaml"));
    await until(() => expect(problems()).toEqual([]));
    await rm(join(dir, "z.yaml"));
    await until(() => expect(problems()).toEqual([expect.stringContaining("z.yaml is gone")]));
  });

  test("the word for one file, and leaves what another one holds", async () => {
    await write("p.yaml", deny("p1"));
    await write("q.yaml", deny("q1"));
    await start();
    await rm(join(dir, "p.yaml"));
    await rm(join(dir, "q.yaml"));
    await until(() => expect(problems()).toHaveLength(2));
    const released = await source.acceptRemovals(({ file }) => file === join(dir, "p.yaml"));
    expect(released.map(({ resource }) => formatRef(refOf(resource)))).toEqual(["AuthorizationPolicy/shop/p1"]);
    expect(names()).toEqual(["q1"]);
    expect(source.heldRemovals().map(({ file }) => file)).toEqual([join(dir, "q.yaml")]);
  });
});

describe("takes effect at once:", () => {
  test.each([
    { what: "one policy taken out of a file that goes on", change: () => write("p.yaml", deny("p1"), deny("p3")), left: ["p1", "p3", "w"] },
    { what: "the last policy of a file", change: () => write("p.yaml", deny("p1"), deny("p2")), left: ["p1", "p2", "w"] },
    {
      what: "all policies of a file under other names",
      change: () => write("p.yaml", deny("n1"), deny("n2"), deny("n3")),
      left: ["n1", "n2", "n3", "w"],
    },
    { what: "a file without a policy that is removed", change: () => rm(join(dir, "w.yaml")), left: ["p1", "p2", "p3"] },
    {
      what: "a policy that moves into another file",
      change: async () => {
        await write("p.yaml", deny("p1"));
        await write("q.yaml", deny("p2"), deny("p3"));
      },
      left: ["p1", "p2", "p3", "w"],
    },
    {
      what: "a file that is renamed",
      change: () => rename(join(dir, "p.yaml"), join(dir, "q.yaml")),
      left: ["p1", "p2", "p3", "w"],
      file: "q.yaml",
    },
  ])("$what", async ({ change, left, file }) => {
    await write("p.yaml", deny("p1"), deny("p2"), deny("p3"));
    await write("w.yaml", workload("w"));
    await start();
    await change();
    await until(() => {
      expect(names()).toEqual(left);
      if (file !== undefined) expect(last().resources[0]?.locate([]).file).toBe(join(dir, file));
    });
    // Nothing in between was said to be wrong.
    expect(seen.flatMap(({ diagnostics }) => diagnostics)).toEqual([]);
    await restart();
    expect([names(), problems()]).toEqual([left, []]);
  });
});

test("a removal that is accepted stays accepted, although another one that is held back can't be kept", async () => {
  // Within what is read; each of the quotes takes two characters where a resource is kept.
  await write("big.yaml", policy("big", `  action: DENY\n  rules:\n  - to: [{operation: {paths: ['/${'"'.repeat(2_500_000)}']}}]\n`));
  await write("p.yaml", deny("p"));
  const failures: unknown[] = [];
  await start([dir], (error) => failures.push(error));
  await rm(join(dir, "big.yaml"));
  await rm(join(dir, "p.yaml"));
  await source.refresh();
  await until(() => expect(source.heldRemovals()).toHaveLength(2));
  expect(await source.acceptRemovals(({ resource }) => resource.metadata.name === "p")).toHaveLength(1);
  expect(String(failures)).toContain("is larger than 4 MiB");
  await source.close();
  await start([dir], () => {});
  expect(names()).toEqual(["big"]);
});

test("a file whose text can't be kept takes no other one's place", async () => {
  await write("a.yaml", deny("a"));
  await write("p.yaml", deny("p"));
  const failures: unknown[] = [];
  const options = { paths: [dir], pollMs: 60_000, settleMs: 5, quietMs: QUIET_MS, onFailure: (error: unknown) => failures.push(error) };
  const begin = async () => {
    const [texts, kept] = [lastGoodInStore(store), keptInStore(store)];
    const lastGood: LastGoodTexts = {
      ...texts,
      write: (file, text) => (file.path.endsWith("a.yaml") ? Promise.reject(new Error("no room for a")) : texts.write(file, text)),
    };
    source = await startFileSource({ ...options, lastGood, kept, onChange: (declared) => void seen.push(declared) });
  };
  await begin();
  expect(String(failures)).toContain("no room for a");
  await source.close();
  await rm(join(dir, "p.yaml"));
  await begin();
  expect(names()).toEqual(["a", "p"]);
});

describe("two declarations of one policy:", () => {
  const allow = (name: string) => policy(name, "  rules:\n  - {}\n");
  const specs = () => last().resources.map(({ metadata, body }) => [metadata.name, (body as { spec: object }).spec]);

  test("the version in force stays, across a restart and while both change, and an error stands at both", async () => {
    await write("m.yaml", deny("p"));
    await start();
    const [inForce] = last().resources;
    await write("a.yaml", allow("p"));
    await until(() =>
      expect(problems()).toEqual([
        "KMK0005 AuthorizationPolicy/shop/p is declared twice, in m.yaml:3 too: m.yaml:3 is used, this one is not",
        "KMK0005 AuthorizationPolicy/shop/p is declared twice, in a.yaml:3 too: this one is used",
      ]),
    );
    expect(last().resources.map(({ hash }) => hash)).toEqual([inForce?.hash]);
    await write("m.yaml", allow("p").replace("{}", "to: [{operation: {methods: [GET]}}]"));
    await until(() => expect(problems()[0]).toContain("the version that was in force stays"));
    expect(last().resources.map(({ hash }) => hash)).toEqual([inForce?.hash]);
    await restart();
    expect(last().resources.map(({ hash }) => hash)).toEqual([inForce?.hash]);
    await rm(join(dir, "m.yaml"));
    await until(() => expect(specs()).toEqual([["p", { selector: { matchLabels: { app: "p" } }, rules: [{}] }]]));
    expect(problems()).toEqual([]);
  });

  test("with none in force what one denies is denied, and neither allows anything", async () => {
    await write("a.yaml", allow("p").replace("app: p", "app: q"));
    await write("b.yaml", deny("p"));
    await start();
    expect(specs()).toEqual([
      ["p", { selector: { matchLabels: { app: "q" } }, action: "ALLOW" }],
      ["p~2", { selector: { matchLabels: { app: "p" } }, action: "DENY", rules: [{ to: [{ operation: { paths: ["/admin"] } }] }] }],
    ]);
    expect(problems()).toHaveLength(2);
    await restart();
    expect(names()).toEqual(["p", "p~2"]);
    await rm(join(dir, "a.yaml"));
    await until(() => expect(names()).toEqual(["p"]));
    expect(problems()).toEqual([]);
  });

  test.each([
    ["a.yaml", "b.yaml"],
    ["b.yaml", "a.yaml"],
  ])("one on trial, in %s, takes nothing from what the other one refuses", async (onTrial, enforced) => {
    const withTrial = (document: string) => document.replace("namespace: shop", 'namespace: shop, annotations: {istio.io/dry-run: "true"}');
    await write(onTrial, withTrial(allow("p")), withTrial(deny("q")));
    await write(enforced, allow("p").replace("{}", "to: [{operation: {methods: [GET]}}]"), deny("q"));
    await start();
    const decide = last().resources.filter(({ metadata }) => metadata.annotations["istio.io/dry-run"] === undefined);
    expect(decide.map(({ body }) => (body as { spec: { action: string } }).spec.action).toSorted()).toEqual(["ALLOW", "DENY"]);
  });

  test("of two PeerAuthentications the stricter mode of each port counts", async () => {
    const peer = (mode: string, port: string) =>
      policy("p", `  mtls: {mode: ${mode}}\n  portLevelMtls: {"${port}": {mode: DISABLE}}\n`, "PeerAuthentication");
    await write("a.yaml", peer("PERMISSIVE", "80"));
    await write("b.yaml", peer("STRICT", "81"));
    await start();
    const portLevelMtls = { 80: { mode: "STRICT" }, 81: { mode: "PERMISSIVE" } };
    expect(specs()).toEqual([["p", { selector: { matchLabels: { app: "p" } }, mtls: { mode: "STRICT" }, portLevelMtls }]]);
  });

  test("of two RequestAuthentications no token of an issuer is taken of which they say different things", async () => {
    const tokens = (uri: string) =>
      policy("p", `  jwtRules:\n  - {issuer: one, jwksUri: ${uri}}\n  - {issuer: both, jwksUri: http://both}\n`, "RequestAuthentication");
    await write("a.yaml", tokens("http://a"));
    await write("b.yaml", tokens("http://b"));
    await start();
    const jwtRules = [{ issuer: "one" }, { issuer: "both", jwksUri: "http://both" }];
    expect(specs()).toEqual([["p", { selector: { matchLabels: { app: "p" } }, jwtRules }]]);
  });
});

describe("a folder that is read for two namespaces", () => {
  const places = () =>
    last()
      .resources.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
      .toSorted();
  const placeless = (name: string) => deny(name).replace(", namespace: shop", "");
  const paths = () => ["foo", "bar"].map((namespace) => ({ path: dir, namespace }));

  test("and lost a file while no process ran misses it in both", async () => {
    await write("p.yaml", placeless("p1"));
    await start(paths());
    await source.close();
    await rm(join(dir, "p.yaml"));
    await start(paths());
    expect(places()).toEqual(["bar/p1", "foo/p1"]);
    expect((await source.acceptRemovals()).map(({ resource }) => resource.metadata.namespace).toSorted()).toEqual(["bar", "foo"]);
    expect(places()).toEqual([]);
  });

  test("may lose one policy by one edit", async () => {
    await write("p.yaml", placeless("p1"), placeless("p2"), placeless("p3"));
    await start(paths());
    await write("p.yaml", placeless("p1"), placeless("p3"));
    await until(() => expect(places()).toEqual(["bar/p1", "bar/p3", "foo/p1", "foo/p3"]));
    expect(problems()).toEqual([]);
    await write("p.yaml", workload("w").replace(", namespace: shop", ""));
    await until(() => expect(places()).toEqual(["bar/p1", "bar/p3", "bar/w", "foo/p1", "foo/p3", "foo/w"]));
    expect(problems().join()).toContain("several that restrict vanished at once");
  });
});
