import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type HttpAnswer, http, type RequestHeaders } from "./http.ts";
import { freePort } from "../../../src/testing/free-port.ts";
import type { OrdinaryUser } from "./ordinary-user.ts";
import { type CommandResult, kumiko, type RunningMesh, startIn } from "./mesh.ts";
import { type DatabaseConnection, readDatabaseConnections } from "./platform-database.ts";
import type { CallAnswer } from "./shop.ts";

const repository = fileURLToPath(new URL("../../..", import.meta.url));

export interface Call {
  readonly method?: string;
  /** A bearer token. */
  readonly token?: string;
  readonly headers?: RequestHeaders;
  readonly json?: unknown;
  readonly body?: string;
}

/** A copy of `platform/` with ports of its own, and what a client of it needs. */
export interface Platform {
  readonly dir: string;
  /** What its commands need in their environment: the ports. */
  readonly env: Readonly<Record<string, string>>;
  /** The gateway's, on 127.0.0.1. */
  readonly port: number;
  /** The mesh as it was last started. */
  mesh(): RunningMesh;
  start(): Promise<RunningMesh>;
  stop(): Promise<void>;
  /** An https request to the gateway on a connection of its own. */
  api(url: string, call?: Call): Promise<HttpAnswer>;
  /** What `kumiko token create` prints for a user. */
  token(user: string, ...options: readonly string[]): Promise<string>;
  /** Registers somebody with the identity provider, and returns a token. */
  register(user: string, name: string): Promise<string>;
  kumiko(...args: readonly string[]): Promise<CommandResult>;
  /** A request that a workload of `platform-fixture` makes through its own sidecar. */
  callFrom(workload: "prober" | "plain" | "chat-twin", url: string, call?: Call): Promise<CallAnswer>;
  databaseConnections(): Promise<readonly DatabaseConnection[]>;
  /** Passwords and private keys that must be in no text that a person may show around. */
  secrets(): readonly string[];
  remove(): void;
}

export interface PlatformOptions {
  /** Those of `platform-fixture`. */
  readonly withTestWorkloads?: boolean;
  /** Who runs it; whoever runs the tests, where nobody is named. */
  readonly user?: OrdinaryUser;
  /** It will run on the loopback network, where the gateway's own port is one of the machine's. */
  readonly onLoopback?: boolean;
  readonly args?: readonly string[];
  readonly launch?: readonly string[];
}

/**
 * Makes a copy of the platform: its manifests can be edited, its programs are linked. With the test's own workloads unless told otherwise.
 * It lies under the repository, so that the programs find its packages wherever that is; a user's lies in the user's home.
 */
export async function copyPlatform(options: PlatformOptions = {}): Promise<Platform> {
  const { withTestWorkloads = true, user, onLoopback = false } = options;
  const place = user?.home ?? join(repository, "node_modules", ".cache");
  mkdirSync(place, { recursive: true });
  const dir = mkdtempSync(join(place, "kumiko-e2e-"));
  const clone = user?.clone ?? repository;
  for (const folder of ["src", "scripts"]) symlinkSync(join(clone, "platform", folder), join(dir, folder));
  for (const part of ["infra", "kumiko.yaml"]) cpSync(join(clone, "platform", part), join(dir, part), { recursive: true });
  mountLinked(
    dir,
    ["src", "docs"].map((folder) => join(clone, "platform", folder)),
  );
  if (withTestWorkloads) addTestWorkloads(dir, clone);
  if (onLoopback) await moveGateway(dir);
  user?.own(dir);
  const env = {
    ...user?.env,
    PLATFORM_GATEWAY_PORT: String(await freePort()),
    PLATFORM_DATABASE_PORT: String(await freePort()),
    PLATFORM_IDENTITY_PORT: String(await freePort()),
    PLATFORM_BROKER_PORT: String(await freePort()),
    PLATFORM_EDGE_PORT: String(await freePort()),
    PLATFORM_EDGE_HTTP_PORT: String(await freePort()),
    // Of whoever a test registers.
    PLATFORM_PASSWORD: randomBytes(16).toString("hex"),
  };
  return toPlatform(dir, env, options);
}

async function moveGateway(dir: string): Promise<void> {
  const port = await freePort();
  for (const file of ["kumiko.yaml", "infra/k8s/ingress/gateway-workload.yaml"]) {
    const text = readFileSync(join(dir, file), "utf8");
    writeFileSync(join(dir, file), text.replaceAll(/(port: |targetPort: |containerPort: )8443\b/gi, `$1${port}`));
  }
}

/** An application sees its folder and what is mounted, not where links lead. */
function mountLinked(dir: string, folders: readonly string[]): void {
  const file = join(dir, "kumiko.yaml");
  const mounts = `    mounts: ${JSON.stringify(folders)}\n`;
  writeFileSync(file, readFileSync(file, "utf8").replaceAll("    portEnv:", `${mounts}    portEnv:`));
}

function addTestWorkloads(dir: string, clone: string): void {
  cpSync(join(repository, "test/e2e/platform-fixture"), join(dir, "infra/k8s/test"), { recursive: true });
  symlinkSync(join(clone, "test/e2e/workloads"), join(dir, "workloads"));
  const file = join(dir, "kumiko.yaml");
  const text = readFileSync(file, "utf8");
  const mounts = JSON.stringify([join(clone, "test/e2e/workloads")]);
  const image = `images:\n  kumiko.test/echo: { command: [node, workloads/echo.ts], portEnv: PORT, mounts: ${mounts} }\n`;
  writeFileSync(file, text.replace("images:\n", image));
}

function toPlatform(dir: string, env: Platform["env"], { user, args = [], launch = [] }: PlatformOptions): Platform {
  let running: RunningMesh | undefined;
  let visitor: Promise<string> | undefined;
  const state = join(dir, ".kumiko/platform");
  const port = Number(env["PLATFORM_GATEWAY_PORT"]);
  const remove = () => rmSync(dir, { recursive: true, force: true });
  const api: Platform["api"] = (url, call) => callGateway(url, { port, ca: readFileSync(join(state, "ca/root.pem"), "utf8") }, call);
  const runner = user === undefined ? {} : { program: join(user.clone, "kumiko"), as: { uid: user.uid, gid: user.gid } };
  const run: Platform["kumiko"] = (...words) => kumiko([...words, "--dir", dir], dir, env, runner);
  const token: Platform["token"] = async (user, ...options) => {
    const { code, stdout, stderr } = await run("token", "create", user, ...options);
    if (code !== 0) throw new Error(`no token for ${user}: ${stderr}`);
    return stdout.trim();
  };
  return {
    dir,
    env,
    port,
    mesh() {
      if (running === undefined) throw new Error("the platform has not been started");
      return running;
    },
    async start() {
      running = await startIn(dir, { ...runner, env, args, launch, ports: [port], remove });
      return running;
    },
    stop: async () => await running?.stop(),
    api,
    token,
    async register(who, name) {
      const options = { ...runner.as, cwd: dir, env: { ...process.env, ...env, PLATFORM_STATE: state } };
      const node = user === undefined ? process.execPath : join(user.clone, "node_modules/.bin/node");
      const { stdout } = await promisify(execFile)(node, ["scripts/register.ts", who, `--name=${name}`], options);
      return stdout.trim();
    },
    kumiko: run,
    async callFrom(workload, url, { method = "GET", token: bearer, headers = {} } = {}) {
      const json = { url, method, headers: { ...bearerHeader(bearer), ...headers } };
      visitor ??= token("carol");
      const answer = await api(`https://video.example.com/api/v1/users/${workload}/call`, { token: await visitor, json });
      if (answer.status !== 200) throw new Error(`${workload} was not reached: ${answer.status} ${answer.body}`);
      return JSON.parse(answer.body) as CallAnswer;
    },
    databaseConnections: () => readDatabaseConnections(state, Number(env["PLATFORM_DATABASE_PORT"])),
    secrets: () => readSecrets(state),
    remove,
  };
}

function callGateway(url: string, to: { readonly port: number; readonly ca: string }, call: Call = {}): Promise<HttpAnswer> {
  const { method = call.json === undefined ? "GET" : "POST", token, headers, json } = call;
  const body = json === undefined ? call.body : JSON.stringify(json);
  return http(url, {
    ...to,
    method,
    headers: { ...bearerHeader(token), ...(json !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body }),
  });
}

function bearerHeader(token: string | undefined): Readonly<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function readSecrets(state: string): readonly string[] {
  const read = (file: string): unknown => JSON.parse(readFileSync(join(state, file), "utf8"));
  const passwords = Object.values(read("passwords.json") as Record<string, string>);
  const { keys, cookieSecret } = read("identity-provider/signing-keys.json") as { keys: { d: string }[]; cookieSecret: string };
  const pems = ["ca/root.key", "tls/gateway.key", "tls/database.key"].map((file) => readFileSync(join(state, file), "utf8"));
  // A line of a PEM's body: it looks the same in every encoding of line ends.
  return [...passwords, ...keys.map(({ d }) => d), cookieSecret, ...pems.map((pem) => pem.split("\n")[1] ?? "")];
}
