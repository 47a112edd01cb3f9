import { join } from "node:path";
import { MeshError } from "../model/error.ts";
import { HOST_SOCKET } from "./machine-protocol.ts";
import type { LoopbackPorts } from "./loopback.ts";
import { type OutsideHost } from "./outside-table.ts";
import { type Endpoint, forwardToSocket } from "./relay.ts";
import { runCommand } from "./run-command.ts";

export interface RelayTableOptions {
  readonly runDir: string;
  /** Inside the machine's namespaces; only there can be listened on a literal address, when there is a route to oneself. */
  readonly ownNetwork: boolean;
  readonly ports: LoopbackPorts;
  readonly onError: (error: MeshError) => void;
}

interface Wanted {
  readonly entry: OutsideHost;
  readonly port: number;
  readonly open: number;
}

/** The machine's listeners for outside hosts; `set` opens new ones and closes what no ServiceEntry opens any more. */
export class RelayTable {
  readonly #options: RelayTableOptions;
  readonly #open = new Map<string, Endpoint>();
  readonly #routed = new Set<string>();
  #table: readonly OutsideHost[] = [];
  #work: Promise<void> = Promise.resolve();

  constructor(options: RelayTableOptions) {
    this.#options = options;
  }

  /** Relay address of an opened host. */
  find(name: string): string | undefined {
    return this.#table.find(({ host }) => host === name)?.address;
  }

  /** `host:port` to the port on which connections for it are taken, where that is another one. */
  get movedPorts(): Readonly<Record<string, number>> {
    const moved = this.#table.flatMap(({ host, ports }) =>
      [...this.#options.ports.open(ports)].flatMap(([port, open]) => (port === open ? [] : [[`${host}:${port}`, open] as const])),
    );
    return Object.fromEntries(moved);
  }

  /** Without a network of one's own, literal addresses are dialled by the proxies themselves. */
  set(given: readonly OutsideHost[]): Promise<void> {
    const table = this.#options.ownNetwork ? given : given.filter(({ host }) => host !== "");
    this.#table = table;
    this.#work = this.#work.then(() => this.#apply(table));
    return this.#work;
  }

  close(): Promise<void> {
    return this.set([]);
  }

  async #apply(table: readonly OutsideHost[]): Promise<void> {
    const wanted = new Map<string, Wanted>(
      table.flatMap((entry) =>
        [...this.#options.ports.open(entry.ports)].map(
          ([port, open]) => [`${entry.address}:${open} ${entry.host}:${port}`, { entry, port, open }] as const,
        ),
      ),
    );
    for (const [key, endpoint] of this.#open) {
      if (wanted.has(key)) continue;
      this.#open.delete(key);
      await endpoint.close();
    }
    for (const [key, one] of wanted) {
      if (this.#open.has(key)) continue;
      try {
        this.#open.set(key, await this.#listen(one));
      } catch (thrown) {
        this.#options.onError(MeshError.from(thrown, "network"));
      }
    }
  }

  async #listen({ entry: { host, address }, port, open }: Wanted): Promise<Endpoint> {
    if (host === "" && !this.#routed.has(address)) {
      await runCommand("ip", ["route", "replace", "local", address, "dev", "lo"]);
      this.#routed.add(address);
    }
    const asked = host === "" ? address : host;
    return forwardToSocket({ host: address, port: open }, join(this.#options.runDir, HOST_SOCKET), { kind: "relay", host: asked, port });
  }
}
