import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { checkSystem } from "../../src/runtime/index.ts";
import { deployment, startFixture, until } from "./runtime-fixture/host.ts";

const system = checkSystem();

const LOOK = `
echo "reads $(cat data)"
echo "writes $(echo written > data && cat data)"
echo "volume $(stat -f -c %T volumes/made) $(echo kept > volumes/made/x && cat volumes/made/x)"
echo "state $(ls -A .kumiko | wc -l)"
echo "others $(touch /usr/x 2>&1)"
echo looked
exec sleep 1000`;

/** What separates or escapes for mount(8), for overlayfs, for the kernel's list of mounts, or for a shell. */
const NAMES = [
  { what: "a comma", name: "a,b" },
  { what: "a colon", name: "a:b" },
  { what: "a backslash", name: "a\\b\\054" },
  { what: "blanks", name: " a  b\t" },
  { what: "line feeds", name: "\na\n\n" },
  { what: "a shell's characters", name: `a'b"$(c)*` },
];

describe.skipIf(system.mode !== "namespaces" || system.missing.length > 0)("a mesh's folder", () => {
  test.each(NAMES)("may have $what in its path", async ({ name }) => {
    const base = realpathSync(mkdtempSync(join(tmpdir(), "kumiko-e2e-")));
    onTestFinished(() => rmSync(base, { recursive: true, force: true }));
    const root = join(base, name);
    mkdirSync(root);
    const image = { command: ["sh", "-c", LOOK], args: [], workingDir: ".", env: {}, portEnv: undefined };
    const fixture = await startFixture({ root, settings: { images: { "shop/looker": image } } });
    onTestFinished(() => fixture.host.stop({ graceMs: 20_000 }));
    const { folder } = fixture.options;
    writeFileSync(join(folder, "data"), "original");
    mkdirSync(join(folder, "volumes"));
    const container = { volumeMounts: [{ name: "cache", mountPath: join(folder, "volumes/made") }] };
    fixture.set([deployment("looker", { command: [], container, template: { volumes: [{ name: "cache", emptyDir: {} }] } })]);
    const pod = await until("the pod is there", () => fixture.pods()[0]);
    const log = await until("it has looked", () => {
      const text = existsSync(join(fixture.options.stateDir, "logs/shop", `${pod.name}.log`)) ? fixture.log(pod) : "";
      return /looked|failed/.test(text) && text;
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(fixture.pods())} ${fixture.log(pod)}`);
    });
    expect(log).toContain("reads original\nwrites written\nvolume tmpfs kept\nstate 0\n");
    expect(log).toMatch(/others .*Read-only file system/);
    expect(existsSync(join(folder, "volumes/made"))).toBe(false);
  });
});
