import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

/** A host, and the address that its name is to lead to. */
export interface NamedHost {
  readonly host: string;
  readonly address: string;
}

/** Nobody listens here: a program that asks DNS itself hears at once that there is none. */
const NO_RESOLVER = "127.245.0.53";
const SYSTEM_SWITCH = "/etc/nsswitch.conf";

/**
 * The text of a pod's /etc/hosts. Each host has all the names that lead to it by the search domains of a pod of this namespace, as on
 * Kubernetes: `users`, `users.shop`, `users.shop.svc`, `users.shop.svc.cluster.local`.
 */
export function toHostsText(pod: { readonly name: string; readonly namespace: string }, hosts: readonly NamedHost[]): string {
  const search = [`.${pod.namespace}.svc.cluster.local`, ".svc.cluster.local", ".cluster.local"];
  const own = [...new Set(["localhost", pod.name, hostname()])];
  const lines = hosts.map(({ host, address }) => {
    const short = search.flatMap((domain) => (host.endsWith(domain) ? [host.slice(0, -domain.length)] : []));
    return `${address} ${[host, ...short].join(" ")}`;
  });
  return [`127.0.0.1 ${own.join(" ")}`, "::1 localhost ip6-localhost", ...lines, ""].join("\n");
}

/** Names come from the file of hosts and from nowhere else: what no resource opens is not found, whatever the machine could look up. */
export function toSwitchText(system: string): string {
  const lines = system.split("\n").filter((line) => !/^\s*hosts\s*:/.test(line));
  return [...lines, "hosts: files", ""].join("\n");
}

/** The files that take the place of the machine's own for one pod. */
export class NameFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#write("resolv.conf", `nameserver ${NO_RESOLVER}\n`);
    this.#write("nsswitch.conf", toSwitchText(readOptional(SYSTEM_SWITCH)));
  }

  /** `[file, what it stands for]`. */
  get mounts(): readonly (readonly [file: string, target: string])[] {
    return ["hosts", "resolv.conf", "nsswitch.conf"].map((name) => [join(this.#folder, name), `/etc/${name}`] as const);
  }

  /** The file keeps its identity, by which it is mounted; it grows before it shrinks, so that nobody finds it empty. */
  writeHosts(text: string): void {
    this.#write("hosts", text);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #write(name: string, text: string): void {
    const file = openSync(join(this.#folder, name), constants.O_CREAT | constants.O_WRONLY, 0o600);
    try {
      const bytes = Buffer.from(text);
      writeSync(file, bytes, 0, bytes.length, 0);
      ftruncateSync(file, bytes.length);
    } finally {
      closeSync(file);
    }
  }
}

function readOptional(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
