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

const MOVED_BY = 20_000;

/** Each port that is asked for to the one on which can be listened: itself, or from 20,000 on where it is below the lowest that is allowed. */
export function toOpenPorts(asked: readonly number[], lowestPort: number): ReadonlyMap<number, number> {
  const taken = new Set(asked);
  const open = new Map<number, number>();
  for (const port of asked) {
    let free = port;
    if (port < lowestPort) for (free += MOVED_BY; taken.has(free); ) free++;
    taken.add(free);
    open.set(port, free);
  }
  return open;
}

const UNPRIVILEGED_PORTS = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
/** Linux' own default. */
const UNPRIVILEGED = 1024;

/** The lowest port on which this process and its children may listen; asked of the system by listening, as rights come in many ways. */
export async function findLowestPort(): Promise<number> {
  const first = readUnprivilegedStart();
  return first <= 1 || (await canListen(first - 1)) ? 1 : first;
}

function readUnprivilegedStart(): number {
  try {
    return Number(readFileSync(UNPRIVILEGED_PORTS, "utf8"));
  } catch {
    return UNPRIVILEGED;
  }
}

function canListen(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code !== "EACCES" && code !== "EPERM"));
    server.listen(port, toAddress(COUNT - 1), () => server.close(() => resolve(true)));
  });
}
