import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { findEnvoy } from "../../../src/agent/index.ts";
import { readEnvironment } from "../../../src/controlplane/config.ts";
import { repository } from "./mesh.ts";

/** A user of the system who has no rights but those over a folder, with a clone beside it that is not theirs to change. */
export interface OrdinaryUser {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** Root's clone, which the user may read. */
  readonly clone: string;
  /** What `kumiko` needs in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Makes a folder that was put into the home the user's own. */
  own(folder: string): void;
  remove(): void;
}

const has = (program: string) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

/** Why no user can be made here; undefined where one can. */
export function userObstacle(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can make a user; this run is an ordinary user's itself";
  return has("useradd") && has("userdel") ? undefined : "useradd is missing";
}

let made = 0;

export async function makeOrdinaryUser(): Promise<OrdinaryUser> {
  const name = `kumiko-e2e-${process.pid}-${made++}`;
  const base = mkdtempSync(join(tmpdir(), "kumiko-user-"));
  const home = join(base, "home");
  execFileSync("useradd", ["--user-group", "--no-create-home", "--home-dir", home, name]);
  const idOf = (flag: string) => Number(execFileSync("id", [flag, name], { encoding: "utf8" }));
  const [uid, gid] = [idOf("-u"), idOf("-g")];
  const own = (folder: string) => void execFileSync("chown", ["-R", "--no-dereference", `${uid}:${gid}`, folder]);
  copyClone(join(base, "clone"));
  const { path } = await findEnvoy({ cacheDir: readEnvironment(process.env).cacheDir });
  cpSync(path, join(base, "envoy"));
  chmodSync(join(base, "envoy"), 0o755);
  mkdirSync(join(home, ".cache"), { recursive: true });
  // What the platform downloads once for each user.
  const downloaded = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "kumiko-platform");
  if (existsSync(downloaded)) cpSync(downloaded, join(home, ".cache/kumiko-platform"), { recursive: true });
  own(home);
  chmodSync(base, 0o755);
  return {
    uid,
    gid,
    home,
    clone: join(base, "clone"),
    env: { HOME: home, USER: name, XDG_RUNTIME_DIR: "", XDG_CACHE_HOME: "", KUMIKO_ENVOY: join(base, "envoy") },
    own,
    remove() {
      spawnSync("userdel", [name]);
      rmSync(base, { recursive: true, force: true });
    },
  };
}

/** What a clone needs to run, with its packages as hard links where the file system allows it: quick, and still root's. */
function copyClone(to: string): void {
  const parts = ["kumiko", "scripts", "src", "samples", "proto", "platform", "package.json", "package-lock.json"];
  execFileSync("mkdir", ["-p", to]);
  execFileSync("cp", ["-a", ...parts.map((part) => join(repository, part)), to]);
  rmSync(join(to, "platform/.kumiko"), { recursive: true, force: true });
  execFileSync("cp", ["-a", "--parents", "test/e2e/workloads", to], { cwd: repository });
  // Before the packages come: the mode of a hard link is that of this clone's own file.
  execFileSync("chmod", ["-R", "a+rX", to]);
  const linked = spawnSync("cp", ["-al", join(repository, "node_modules"), to]);
  if (linked.status !== 0) execFileSync("cp", ["-a", join(repository, "node_modules"), to]);
}
