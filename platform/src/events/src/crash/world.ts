import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type NatsServer, startNatsServer } from "@platform/broker/nats-server";
import { type StandIn, startStandIn } from "@platform/database";
import { freePort } from "@platform/setup/testing";
import type { Pool } from "@platform/service-kit";
import { placesOf, setUp } from "@platform/setup";
import { NatsLink, provisionConsumer, provisionStream } from "../nats/index.ts";
import { poolOf } from "../testing/database.ts";
import { noLog } from "../testing/rig.ts";
import { GROUP, TYPE } from "./names.ts";

/** Something that is killed without a word and started again. */
export interface Victim {
  readonly name: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

/** Short, so that what a killed consumer had is soon with another; shorter than some transactions, so that events come twice. */
const ACK_WAIT_MS = 1_500;
const WORKER = join(import.meta.dirname, "worker.ts");

/** PostgreSQL, NATS and workers, each in processes of its own that only this starts and kills. */
export class CrashWorld {
  readonly folder = mkdtempSync(join(tmpdir(), "platform-crash-"));
  /** What the producer said has been done. */
  readonly acknowledged = new Set<number>();
  isProduced = false;
  /** Workers that ended though nobody killed them. */
  readonly dead: string[] = [];
  readonly #count: number;
  readonly #workers = new Map<string, Worker>();
  #database: StandIn | undefined;
  #nats: NatsServer | undefined;
  #ports = { database: 0, nats: 0 };

  constructor(count: number) {
    this.#count = count;
  }

  async start(): Promise<void> {
    this.#ports = { database: await freePort(), nats: await freePort() };
    await setUp(this.#places);
    await Promise.all([this.#startDatabase(), this.#startNats()]);
    await this.#makeTables();
    const link = new NatsLink({ url: this.#natsUrl, name: "administrator", log: noLog });
    const connection = await link.connection(10_000);
    await provisionStream(connection);
    await provisionConsumer(connection, GROUP, [TYPE], ACK_WAIT_MS);
    await link.close();
    for (const name of ["relay-1", "relay-2", "consumer-1", "consumer-2", "producer"]) this.#startWorker(name);
  }

  victims(): readonly Victim[] {
    const workers = [...this.#workers.keys()].map((name) => ({
      name,
      kill: async () => await this.#workers.get(name)?.kill(),
      restart: async () => this.#startWorker(name),
    }));
    return [
      ...workers,
      { name: "nats", kill: () => this.#killNats(), restart: () => this.#startNats() },
      { name: "postgres", kill: () => this.#killDatabase(), restart: () => this.#startDatabase() },
    ];
  }

  /** A pool of this process, for looking. */
  open(): Pool {
    if (this.#database === undefined) throw new Error("no database");
    return poolOf(this.#database.serviceUrl("chats"), this.#database.ca);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.kill()));
    await this.#nats?.stop();
    await this.#database?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #places() {
    return placesOf({ PLATFORM_STATE: this.folder });
  }

  get #natsUrl(): string {
    return `nats://127.0.0.1:${this.#ports.nats}`;
  }

  async #startDatabase(): Promise<void> {
    this.#database = await startStandIn(this.#places, { port: this.#ports.database, log: () => undefined, durable: true });
  }

  /** The server itself, by the number in its lock file; its children end when they notice. */
  async #killDatabase(): Promise<void> {
    const pid = Number(readFileSync(join(this.#places.postgres, "postmaster.pid"), "utf8").split("\n")[0]);
    const children = childrenOf(pid);
    process.kill(pid, "SIGKILL");
    await this.#database?.ended;
    while (children.some((child) => existsSync(`/proc/${child}`))) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async #startNats(): Promise<void> {
    this.#nats = await startNatsServer({ folder: this.#places.nats, port: this.#ports.nats, users: [], log: () => undefined });
  }

  async #killNats(): Promise<void> {
    process.kill(this.#nats?.pid ?? 0, "SIGKILL");
    await this.#nats?.ended;
  }

  #startWorker(name: string): void {
    const settings = {
      databaseUrl: this.#database?.serviceUrl("chats"),
      ca: this.#database?.ca,
      natsUrl: this.#natsUrl,
      count: this.#count,
    };
    const onLine = (line: string) => {
      if (line === "end") this.isProduced = true;
      else this.acknowledged.add(Number(line));
    };
    const worker = startWorker(name.split("-")[0] ?? name, settings, onLine, () => this.dead.push(name));
    this.#workers.set(name, worker);
  }

  async #makeTables(): Promise<void> {
    const standIn = this.#database;
    if (standIn === undefined) throw new Error("no database");
    const admin = poolOf(standIn.adminUrl("chats"), standIn.ca);
    await admin.query("CREATE TABLE work (n int PRIMARY KEY)");
    await admin.query("CREATE TABLE effects (n int)");
    await admin.query("CREATE TABLE tally (events int, total bigint)");
    await admin.query("INSERT INTO tally VALUES (0, 0)");
    await admin.query("GRANT ALL ON ALL TABLES IN SCHEMA public TO chats_service");
    await admin.end();
  }
}

interface Worker {
  kill(): Promise<void>;
}

function startWorker(role: string, settings: object, onLine: (line: string) => void, onDeath: () => void): Worker {
  const child = spawn(process.execPath, [WORKER, role], {
    env: { PATH: process.env["PATH"], WORKER: JSON.stringify(settings) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  child.on("exit", (code, signal) => void (code !== 0 && signal !== "SIGKILL" && onDeath()));
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    // A line that was cut off by a kill was not said.
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
  return {
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** The processes that a process has started, where the system can tell. */
function childrenOf(pid: number): readonly number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8").trim().split(" ").filter(Boolean).map(Number);
}
