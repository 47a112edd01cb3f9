import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const ownNode = dirname(process.execPath);
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string };

/** A PATH without a Node that is ours: what a user's shell has. */
const systemPath = (process.env["PATH"] ?? "")
  .split(delimiter)
  .filter((folder) => !folder.includes("node_modules"))
  .join(delimiter);

let folder: string;
let tarball: string;
let installed: string;

function npm(args: readonly string[], cwd: string): string {
  const env = { ...process.env, PATH: `${ownNode}${delimiter}${systemPath}`, npm_config_update_notifier: "false" };
  return execFileSync("npm", args, { cwd, encoding: "utf8", env, stdio: ["ignore", "pipe", "pipe"] });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-package-"));
  npm(["pack", "--pack-destination", folder], root);
  tarball = join(folder, readdirSync(folder).find((file) => file.endsWith(".tgz")) ?? "");
  installed = join(folder, "installed");
  mkdirSync(installed);
  writeFileSync(join(installed, "package.json"), "{}\n");
  npm(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", tarball], installed);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function kumiko(args: readonly string[], env: NodeJS.ProcessEnv = {}, program = join(installed, "node_modules/.bin/kumiko")) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: installed,
    encoding: "utf8",
    env: { PATH: systemPath, HOME: folder, ...env },
  });
  return { status, stdout, stderr };
}

describe("the package", () => {
  test("holds JavaScript and no source, test or state", () => {
    const files = execFileSync("tar", ["-tzf", tarball], { encoding: "utf8" }).trim().split("\n");
    expect(files).toEqual(expect.arrayContaining(["package/bin/kumiko", "package/dist/main.js", "package/LICENSE", "package/README.md"]));
    expect(files.filter((file) => /(?<!\.d)\.ts$|\.test\.|^package\/(src|test|platform|node_modules)\/|\.kumiko\//.test(file))).toEqual([]);
  });

  test("answers from JavaScript, whatever Node the system has", () => {
    expect(kumiko(["--version"])).toEqual({ status: 0, stdout: `kumiko ${version}\n`, stderr: "" });
    const { stdout } = kumiko(["version", "-o", "json"]);
    expect(JSON.parse(stdout)).toMatchObject({ kumiko: version, node: expect.stringMatching(/^2[4-9]\./) });
  });

  test("has a help that lists the commands, and exit codes as documented", () => {
    expect(kumiko(["--help"]).stdout).toContain("status");
    expect(kumiko(["get", "pods"]).status).toBe(3);
    expect(kumiko(["nonsense"]).status).toBe(2);
  });

  test("runs the sample in an empty folder, and leaves no process behind", async () => {
    const empty = join(folder, "empty");
    mkdirSync(empty);
    const env = { ...process.env, PATH: systemPath };
    const running = spawn(join(installed, "node_modules/.bin/kumiko"), ["up"], { cwd: empty, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [running.stdout, running.stderr]) stream.on("data", (part: Buffer) => (output += part.toString()));
    const ended = new Promise<number | null>((resolve) => running.once("close", resolve));
    try {
      await vi.waitFor(() => expect(output).toContain("Ctrl-C stops all of it"), { timeout: 90_000, interval: 100 });
      const [, url = ""] = /curl '([^']+)'/.exec(output) ?? [];
      const response = await fetch(url);
      expect(await response.text()).toContain("Hello");
      expect(response.status).toBe(200);
      // Commands in the copy are those that work there.
      expect(readFileSync(join(empty, "README.md"), "utf8")).toContain(`${join(installed, "node_modules/.bin/kumiko")} test `);
    } finally {
      running.kill("SIGINT");
    }
    expect(await ended, output).toBe(0);
    expect(output).toContain("stopped");
    expect(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })).not.toContain(empty);
  });

  test("starts where it was linked to from elsewhere", () => {
    symlinkSync(join(installed, "node_modules/.bin/kumiko"), join(folder, "linked"));
    expect(kumiko(["--version"], {}, join(folder, "linked")).stdout).toBe(`kumiko ${version}\n`);
  });

  test("says what to install where no Node is new enough", () => {
    const alone = join(folder, "alone/node_modules");
    mkdirSync(alone, { recursive: true });
    execFileSync("tar", ["-xzf", tarball, "-C", alone]);
    const programs = join(folder, "programs");
    mkdirSync(programs);
    for (const name of ["sh", "uname", "readlink", "dirname"]) {
      const found = systemPath
        .split(delimiter)
        .map((part) => join(part, name))
        .find((file) => existsSync(file));
      symlinkSync(found ?? "", join(programs, basename(name)));
    }
    writeFileSync(join(programs, "node"), "#!/bin/sh\necho v20.20.2\n", { mode: 0o755 });
    const { status, stderr } = kumiko(["--version"], { PATH: programs }, join(alone, "package/bin/kumiko"));
    expect(stderr).toContain("needs Node 24 or newer");
    expect(stderr).toContain("the system's is v20.20.2");
    expect(stderr).toContain("npm install kumiko --include=optional");
    expect(status).toBe(1);
  });
});
