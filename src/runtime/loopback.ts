import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { stableHash } from "../base/index.ts";

/**
 * Addresses of the loopback network that stand for hosts, where nothing captures traffic: each pod has one for each host that it may call, and
 * its sidecar listens there. They follow from the mesh and the name (the next free one where two meet), so that two meshes on one machine
 * keep out of each other's way.
 */
export class LoopbackAddresses {
  readonly #mesh: string;
  readonly #byName = new Map<string, string>();
  readonly #taken = new Set<number>();

  constructor(mesh: string) {
    this.#mesh = mesh;
  }

  get(name: string): string {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    let number = Number.parseInt(stableHash([this.#mesh, name]).slice(0, 8), 16) % COUNT;
    while (this.#taken.has(number)) number = (number + 1) % COUNT;
    this.#taken.add(number);
    const address = toAddress(number);
    this.#byName.set(name, address);
    return address;
  }

  /** Gives back every address whose name begins with this. */
  release(prefix: string): void {
    for (const [name, address] of this.#byName) {
      if (!name.startsWith(prefix)) continue;
      this.#byName.delete(name);
      this.#taken.delete(toNumber(address));
    }
  }
}

/** 127.64.0.0/10: far from what other programs use. */
const FIRST_OCTET = 64;
const COUNT = 1 << 22;

function toAddress(number: number): string {
  return `127.${FIRST_OCTET + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}

function toNumber(address: string): number {
  const [, second = 0, third = 0, fourth = 0] = address.split(".").map(Number);
  return ((second - FIRST_OCTET) << 16) | (third << 8) | fourth;
}

/** Which ports of loopback addresses can be listened on. */
export class LoopbackPorts {
  readonly lowest: number;
  #taken: ReadonlySet<number> = new Set();

  constructor(lowest: number) {
    this.lowest = lowest;
  }

  /** Ports of programs that listen on every address: no one else can listen there, and who connects reaches them. */
  setTaken(ports: ReadonlySet<number>): void {
    this.#taken = ports;
  }

  isTaken(port: number): boolean {
    return this.#taken.has(port);
  }

  isOpen(port: number): boolean {
    return port >= this.lowest && !this.isTaken(port);
  }

  /** Each port that is asked for to the one on which can be listened for it: itself, or one from 10,000 above it on. */
  open(asked: readonly number[]): ReadonlyMap<number, number> {
    const given = new Set(asked);
    const open = new Map<number, number>();
    for (const port of asked) {
      let free = port;
      if (!this.isOpen(port))
        for (free = (port + MOVED_BY) % MAX_PORT; given.has(free) || !this.isOpen(free); ) free = (free + 1) % MAX_PORT;
      given.add(free);
      open.set(port, free);
    }
    return open;
  }
}

const MOVED_BY = 10_000;
const MAX_PORT = 65_536;

/** Ports on which somebody listens on every address of this machine. */
export function readWildcardPorts(): ReadonlySet<number> {
  return new Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => parseWildcardPorts(readOptional(file))));
}

/** From the text of /proc/net/tcp: sockets in state LISTEN (0A) whose local address is all zeros. */
export function parseWildcardPorts(text: string): readonly number[] {
  return [...text.matchAll(/^\s*\d+: 0+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm)].map(([, port = ""]) => Number.parseInt(port, 16));
}

const UNPRIVILEGED_PORTS = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
/** Linux' own default. */
const UNPRIVILEGED = 1024;

/** The lowest port on which this process and its children may listen; asked of the system by listening, as rights come in many ways. */
export async function findLowestPort(): Promise<number> {
  const first = Number(readOptional(UNPRIVILEGED_PORTS) || UNPRIVILEGED);
  return first <= 1 || (await canListen(first - 1)) ? 1 : first;
}

function readOptional(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function canListen(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code !== "EACCES" && code !== "EPERM"));
    server.listen(port, toAddress(COUNT - 1), () => server.close(() => resolve(true)));
  });
}
