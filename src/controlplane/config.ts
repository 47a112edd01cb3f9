/** Every setting that comes from the environment, and where things lie on disk. Nothing else reads `process.env`. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { isAbsolute, join, relative, resolve } from "node:path";
import { quote } from "../base/shell.ts";

/** Says how a folder's manifests run on one machine. */
export const LAUNCH_FILE = "kumiko.yaml";

export interface Environment {
  /** KUMIKO_ENVOY: the Envoy to use, before PATH and cache. */
  readonly envoy: string | undefined;
  /** KUMIKO_SOCKET: the admin socket of the mesh to talk to. */
  readonly socket: string | undefined;
  /** KUMIKO_CACHE, else the user's cache folder. */
  readonly cacheDir: string;
  /** Folder for sockets: their paths must stay short. */
  readonly runtimeDir: string;
  /** NO_COLOR (no-color.org) is set. */
  readonly noColour: boolean;
  readonly path: string;
  /** How the person calls us, for commands that they are told to type; quoted where a shell needs it. */
  readonly program: string;
  /** All of it, for programs that the user names and for `${NAME}` in kumiko.yaml. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const home = env["HOME"] ?? userInfo().homedir;
  return {
    envoy: env["KUMIKO_ENVOY"] || undefined,
    socket: env["KUMIKO_SOCKET"] || undefined,
    cacheDir: env["KUMIKO_CACHE"] || join(env["XDG_CACHE_HOME"] || join(home, ".cache"), "kumiko"),
    runtimeDir: env["XDG_RUNTIME_DIR"] || "/tmp",
    noColour: (env["NO_COLOR"] ?? "") !== "",
    path: env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
    program: programOf(env),
    variables: env,
  };
}

/** KUMIKO_PROGRAM, set by the launchers. What is on the PATH only while `npx` runs it must be called by `npx` again. */
function programOf(env: NodeJS.ProcessEnv, from?: { readonly cwd: string; readonly folder: string }): string {
  const program = env["KUMIKO_PROGRAM"] || "kumiko";
  if (program === "kumiko") return env["npm_command"] === "exec" ? "npx kumiko" : program;
  if (from === undefined || isAbsolute(program) || !program.includes("/")) return quote(program);
  const there = relative(from.folder, resolve(from.cwd, program));
  return quote(there.startsWith("../") ? there : `./${there}`);
}

/** As `Environment.program`, for somebody who stands in another folder. */
export function programFrom({ variables }: Environment, cwd: string, folder: string): string {
  return programOf(variables, { cwd, folder });
}

/** Where one mesh keeps its state, and its sockets. Both folders are 0700. */
export interface Places {
  /** The folder that `kumiko up` was given. */
  readonly root: string;
  readonly state: string;
  readonly run: string;
  /** Says which processes run, for the other commands. */
  readonly runFile: string;
  readonly adminSocket: string;
  readonly controlPlaneSocket: string;
  readonly agentSocket: string;
  readonly feedSocket: string;
}

/** `state` is `<root>/.kumiko` unless named otherwise. The run folder's name is made of it, because a socket's path has 108 bytes at most. */
export function placesOf(root: string, environment: Environment, state = join(resolve(root), ".kumiko")): Places {
  const short = createHash("sha256").update(resolve(state)).digest("hex").slice(0, 8);
  const run = join(environment.runtimeDir, `kumiko-${process.getuid?.() ?? 0}`, short);
  return {
    root: resolve(root),
    state: resolve(state),
    run,
    runFile: join(resolve(state), "run.json"),
    adminSocket: join(run, "admin.sock"),
    controlPlaneSocket: join(run, "xds.sock"),
    agentSocket: join(run, "agent.sock"),
    feedSocket: join(run, "feed.sock"),
  };
}

/** What `run.json` says. */
export interface RunRecord {
  readonly pid: number;
  readonly startTime: string;
  readonly root: string;
  readonly adminSocket: string;
  readonly agentSocket: string;
  readonly command: "up" | "serve";
}

/** Where a mesh that was started in a folder says so. */
export function runFileIn(folder: string): string {
  return join(folder, ".kumiko", "run.json");
}

/** Undefined where the file is missing, torn or of another form. */
export function readRunRecord(file: string): RunRecord | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isRunRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRunRecord(value: unknown): value is RunRecord {
  if (typeof value !== "object" || value === null) return false;
  const { pid, startTime, root, adminSocket, agentSocket } = value as Record<string, unknown>;
  return Number.isInteger(pid) && [startTime, root, adminSocket, agentSocket].every((field) => typeof field === "string");
}
