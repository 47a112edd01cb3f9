import { join } from "node:path";
import { MeshError } from "../model/error.ts";
import { HOST_SOCKET } from "./machine-protocol.ts";
import { type OutsideHost } from "./outside-table.ts";
import { type Endpoint, forwardToSocket } from "./relay.ts";
import { runCommand } from "./run-command.ts";

export interface RelayTableOptions {
  readonly runDir: string;
  /** Listening on a literal address takes a route to oneself first; only inside the machine's namespaces. */
  readonly ownNetwork: boolean;
  readonly onError: (error: MeshError) => void;
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

  set(table: readonly OutsideHost[]): Promise<void> {
    this.#table = table;
    this.#work = this.#work.then(() => this.#apply(table));
    return this.#work;
  }

  close(): Promise<void> {
    return this.set([]);
  }

  async #apply(table: readonly OutsideHost[]): Promise<void> {
    const wanted = new Map<string, { readonly entry: OutsideHost; readonly port: number }>(
      table.flatMap((entry) => entry.ports.map((port) => [`${entry.address}:${port} ${entry.host}`, { entry, port }] as const)),
    );
    for (const [key, endpoint] of this.#open) {
      if (wanted.has(key)) continue;
      this.#open.delete(key);
      await endpoint.close();
    }
    for (const [key, { entry, port }] of wanted) {
      if (this.#open.has(key)) continue;
      try {
        this.#open.set(key, await this.#listen(entry, port));
      } catch (thrown) {
        this.#options.onError(MeshError.from(thrown, "network"));
      }
    }
  }

  async #listen({ host, address }: OutsideHost, port: number): Promise<Endpoint> {
    if (host === "" && this.#options.ownNetwork && !this.#routed.has(address)) {
      await runCommand("ip", ["route", "replace", "local", address, "dev", "lo"]);
      this.#routed.add(address);
    }
    const asked = host === "" ? address : host;
    return forwardToSocket({ host: address, port }, join(this.#options.runDir, HOST_SOCKET), { kind: "relay", host: asked, port });
  }
}
