import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type NginxSettings, toNginxConfig, toRulesFile } from "./nginx-config.ts";

export interface RunningNginx {
  readonly pid: number;
  /** Settles when nginx has ended, with its exit code or signal. */
  readonly ended: Promise<number | string>;
  stop(): Promise<void>;
}

const READY_MS = 20_000;

/** Starts nginx with the rule set. @throws when it ends at once, or takes no connection in time. */
export async function startNginx(settings: NginxSettings, log: (text: string) => void): Promise<RunningNginx> {
  mkdirSync(join(settings.folder, "tmp"), { recursive: true, mode: 0o700 });
  writeFileSync(join(settings.folder, "rules.conf"), toRulesFile(settings), { mode: 0o600 });
  const file = join(settings.folder, "nginx.conf");
  // nginx writes it once it listens: another's answer on the port is not taken for its own.
  const pidFile = join(settings.folder, "nginx.pid");
  rmSync(pidFile, { force: true });
  writeFileSync(file, toNginxConfig(settings), { mode: 0o600 });
  const [command = "", ...args] = [...withoutRoot(), ...deathWish(), settings.programs.nginx, "-e", "stderr", "-c", file];
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], TZ: "UTC" },
    // Ctrl-C at the terminal is this process's to hear, which then stops nginx in order.
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-4_000);
      log(text);
    });
  }
  child.on("error", (error) => log(`${command}: ${error.message}\n`));
  const ended = once(child, "close").then(([code, signal]) => (typeof code === "number" ? code : String(signal)));
  await untilReady(child, { pidFile, port: settings.httpsPort, output: () => output });
  return {
    pid: child.pid ?? 0,
    ended,
    async stop() {
      if (isRunning(child)) child.kill("SIGTERM");
      await ended;
    },
  };
}

/** For root: a user namespace in which root's files belong to `nobody`, so that nginx reads them and is nobody elsewhere. */
function withoutRoot(): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  const prefix = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"];
  if (spawnSync("unshare", [...prefix.slice(1), "true"], { stdio: "ignore" }).status === 0) return prefix;
  throw new Error("nginx is not run as root, and this machine forbids user namespaces: run as an ordinary user");
}

/** Makes the system stop nginx when this process dies without a word, where the system can. */
function deathWish(): readonly string[] {
  const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));
  return setpriv === undefined ? [] : [setpriv, "--pdeathsig", "TERM", "--"];
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

async function untilReady(
  child: ChildProcess,
  { pidFile, port, output }: { readonly pidFile: string; readonly port: number; readonly output: () => string },
): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (!existsSync(pidFile) || !(await answers(port))) {
    if (!isRunning(child)) throw new Error(`nginx ended before it was ready:\n${output()}`);
    if (performance.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`nginx takes no connection on port ${port} after ${READY_MS / 1_000} s:\n${output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 1_000 });
    const done = (isOpen: boolean) => (socket.destroy(), resolve(isOpen));
    socket
      .once("connect", () => done(true))
      .once("error", () => done(false))
      .once("timeout", () => done(false));
  });
}
