import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { type Backoff, nextBackoff } from "../base/backoff.ts";
import { MeshError } from "../model/error.ts";
import { keepLogBounded } from "./bounded-log.ts";
import { readJson, writePrivately } from "./private-files.ts";
import type { OpenWork } from "../model/open-work.ts";
import { parseOpenWork, OPEN_WORK_PATH } from "./open-work.ts";
import { findProcess, isAlive, isProcessId, type ProcessId, signalProcess } from "./process-id.ts";
import { requestOverSocket } from "./unix-http.ts";

export interface EnvoyProcessSettings {
  readonly envoyPath: string;
  /**
   * Put before Envoy's own command line; must end in a program that replaces itself by Envoy, as nsenter does, or that ends with it and takes it
   * along. The words `{envoy}`, `{bootstrap}` and `{sockets}` stand for paths that Envoy needs.
   */
  readonly launch: readonly string[];
  readonly bootstrapFile: string;
  readonly logFile: string;
  /** Where pid and start time are kept, so that a new agent finds a running Envoy. */
  readonly processFile: string;
  readonly adminSocket: string;
  readonly onChange: () => void;
}

export interface EnvoyState {
  readonly pid: number | undefined;
  /** Envoy's admin says LIVE: it has its first listeners and clusters. */
  readonly isLive: boolean;
  readonly restarts: number;
  readonly lastError: string | undefined;
}

const CHECK_STARTING_MS = 100;
const CHECK_LIVE_MS = 500;
/** Of one that never came up. */
const NEVER_LIVE: Backoff = { firstMs: 200, longestMs: 10_000, steadyMs: 30_000 };
const WAS_LIVE: Backoff = { ...NEVER_LIVE, longestMs: 1000 };
const DRAIN_TIME_S = 45;
const QUIT_MS = 2000;
const TERM_MS = 3000;
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Keeps one Envoy running. It is detached, so that it outlives the agent; a new agent adopts it by pid and start time. One that dies is
 * started again, at once the first time and with a growing pause in a crash loop.
 */
export class EnvoyProcess {
  readonly #settings: EnvoyProcessSettings;
  #process: ProcessId | undefined;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #startedAtMs = 0;
  #backoffMs = 0;
  #restarts = 0;
  #isLive = false;
  #lastError: string | undefined;
  #isStopped = false;

  constructor(settings: EnvoyProcessSettings) {
    this.#settings = settings;
  }

  get state(): EnvoyState {
    return { pid: this.#process?.pid, isLive: this.#isLive, restarts: this.#restarts, lastError: this.#lastError };
  }

  /** Adopts the Envoy of an earlier agent if it still runs; says whether it did. Whether it is live is known then. */
  async adopt(): Promise<boolean> {
    const found = readJson(this.#settings.processFile);
    if (!isProcessId(found) || !isAlive(found)) return false;
    this.#process = found;
    this.#startedAtMs = performance.now();
    await this.#checkLive(found);
    this.#watch();
    return true;
  }

  start(): void {
    if (this.#isStopped || this.#process !== undefined) return;
    this.#tryLaunch();
    this.#watch();
  }

  /** Stops looking after Envoy, and leaves it running for the next agent. */
  release(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /**
   * Tells Envoy to send its clients away (`connection: close`, GOAWAY) while it goes on serving; `inboundOnly` leaves what its own application
   * sends alone. False where it doesn't answer.
   */
  async drain({ inboundOnly }: { readonly inboundOnly: boolean }): Promise<boolean> {
    return await this.#ask(`/drain_listeners?graceful&skip_exit${inboundOnly ? "&inboundonly" : ""}`);
  }

  /** What is open in it; undefined where it doesn't answer. */
  async readOpenWork(): Promise<OpenWork | undefined> {
    const answer = await requestOverSocket(this.#settings.adminSocket, OPEN_WORK_PATH, { timeoutMs: QUIT_MS }).catch(() => undefined);
    return answer?.status === 200 ? parseOpenWork(answer.body.toString("utf8")) : undefined;
  }

  /** Ends Envoy: politely, then by SIGTERM, then by SIGKILL. */
  async stop(): Promise<void> {
    this.release();
    const running = this.#process;
    if (running === undefined) return;
    if (await this.#ask("/quitquitquit")) await waitForEnd(running, QUIT_MS);
    signalProcess(running, "SIGTERM");
    await waitForEnd(running, TERM_MS);
    signalProcess(running, "SIGKILL");
    await waitForEnd(running, TERM_MS);
    rmSync(this.#settings.processFile, { force: true });
    rmSync(this.#settings.adminSocket, { force: true });
    this.#process = undefined;
  }

  async #ask(path: string): Promise<boolean> {
    const answer = await requestOverSocket(this.#settings.adminSocket, path, { method: "POST", timeoutMs: QUIT_MS }).catch(() => undefined);
    return answer?.status === 200;
  }

  /** What gets no further than to be started waits like one that ended at once. */
  #tryLaunch(): void {
    try {
      this.#launch();
    } catch (thrown) {
      this.#fail(MeshError.from(thrown, "io").message);
    }
    if (this.#process === undefined) this.#backoffMs = nextBackoff(this.#backoffMs, 0, NEVER_LIVE);
  }

  #launch(): void {
    const { envoyPath, processFile } = this.#settings;
    const [program = envoyPath, ...args] = [...this.#launchWords(), envoyPath, ...this.#arguments()];
    this.#startedAtMs = performance.now();
    this.#isLive = false;
    rmSync(this.#settings.adminSocket, { force: true });
    const log = this.#openLog();
    try {
      const child = spawn(program, args, { detached: true, stdio: ["ignore", log, log], env: { PATH }, cwd: "/" });
      this.#child = child;
      child.on("error", (error) => this.#fail(`can't start ${program}: ${error.message}`));
      child.on("exit", (code, signal) => {
        if (this.#child === child) this.#check();
        if (code !== 0 && code !== null) this.#fail(`Envoy ended with code ${code}: ${this.#lastLogLine()}`);
        else if (signal !== null) this.#fail(`Envoy was ended by ${signal}`);
      });
      child.unref();
      this.#process = child.pid === undefined ? undefined : findProcess(child.pid);
      if (this.#process !== undefined) writePrivately(processFile, JSON.stringify(this.#process));
    } finally {
      closeSync(log);
    }
  }

  #launchWords(): readonly string[] {
    const { launch, envoyPath, bootstrapFile, adminSocket } = this.#settings;
    const paths = new Map([
      ["{envoy}", envoyPath],
      ["{bootstrap}", bootstrapFile],
      ["{sockets}", dirname(adminSocket)],
    ]);
    return launch.map((word) => paths.get(word) ?? word);
  }

  #arguments(): readonly string[] {
    const { bootstrapFile } = this.#settings;
    return [
      "--config-path",
      bootstrapFile,
      // Of UDP ports that are shared with nobody, as the one of its resolver is, Envoy takes the packets with one worker only.
      "--concurrency",
      "1",
      "--log-level",
      "warning",
      "--log-format",
      "%Y-%m-%dT%T.%eZ %l %n %v",
      "--disable-hot-restart",
      // Who looks up a refusal doesn't wait the 10 s that Envoy would.
      "--file-flush-interval-msec",
      "500",
      "--drain-time-s",
      String(DRAIN_TIME_S),
      "--drain-strategy",
      "immediate",
    ];
  }

  #openLog(): number {
    keepLogBounded(this.#settings.logFile);
    return openSync(this.#settings.logFile, "a", 0o600);
  }

  #lastLogLine(): string {
    try {
      return readFileSync(this.#settings.logFile, "utf8").trimEnd().split("\n").at(-1)?.slice(0, 300) ?? "";
    } catch {
      return "";
    }
  }

  #fail(reason: string): void {
    this.#lastError = reason;
    this.#settings.onChange();
  }

  /** Looks at once and then again and again; an adopted Envoy is no child, so its end is seen only so. */
  #watch(): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), this.#isLive ? CHECK_LIVE_MS : CHECK_STARTING_MS);
  }

  async #look(): Promise<void> {
    this.#check();
    keepLogBounded(this.#settings.logFile);
    if (this.#process !== undefined) await this.#checkLive(this.#process);
    this.#watch();
  }

  /** Starts Envoy again where it has died and its pause is over. */
  #check(): void {
    if (this.#isStopped) return;
    if (this.#process !== undefined) {
      if (isAlive(this.#process)) return;
      this.#backoffMs = nextBackoff(this.#backoffMs, performance.now() - this.#startedAtMs, this.#isLive ? WAS_LIVE : NEVER_LIVE);
      this.#process = undefined;
      this.#isLive = false;
      this.#startedAtMs = performance.now();
      this.#settings.onChange();
      return;
    }
    if (performance.now() - this.#startedAtMs < this.#backoffMs) return;
    this.#restarts++;
    this.#tryLaunch();
  }

  async #checkLive(running: ProcessId): Promise<void> {
    const answer = await requestOverSocket(this.#settings.adminSocket, "/ready", { timeoutMs: 1000 }).catch(() => undefined);
    const isLive = answer?.status === 200;
    if (running !== this.#process || isLive === this.#isLive) return;
    this.#isLive = isLive;
    this.#settings.onChange();
  }
}

async function waitForEnd(id: ProcessId, forMs: number): Promise<void> {
  for (const end = performance.now() + forMs; performance.now() < end && isAlive(id); ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
