import { chmodSync, rmSync } from "node:fs";
import type { JsonObject } from "@bufbuild/protobuf";
import { Metadata, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { MeshError } from "../model/error.ts";
import { ADS_SERVICE } from "../xds/protocol/path.ts";
import { Cache } from "./cache.ts";
import { RelaySession, type EnvoyCall, type RelayEvent } from "./relay-session.ts";
import type { UpstreamOptions } from "./relay-upstream.ts";
import type { LocalSecrets } from "./sds.ts";

export type { RelayEvent } from "./relay-session.ts";

export interface RelayOptions {
  /** In a folder that only its owner can enter; the socket itself gets mode 0600. */
  readonly socketPath: string;
  readonly upstream: Pick<UpstreamOptions, "connect" | "longestWaitMs">;
  /** Envoy's node id; another one on this socket is refused. */
  readonly node: string;
  /** What the control plane is told of the node at first, instead of what comes over the socket. @see Relay.setNodeMetadata */
  readonly nodeMetadata?: JsonObject;
  readonly secrets: LocalSecrets;
  /** True while a valid certificate is here: then the last good copy may be served without the control plane. */
  readonly mayServeStale: () => boolean;
  /** Where the last good copy is kept; without it, in memory only. */
  readonly cacheFile?: string;
  readonly observe: (event: RelayEvent) => void;
  /** 0 to 1, for the jitter of the back-off. */
  readonly random?: () => number;
}

export interface RelayStatus {
  /** The control plane has accepted the stream. */
  readonly connected: boolean;
  /** The proxy runs on the last good copy, because the control plane can't be reached. */
  readonly stale: boolean;
  /** Envoy has acknowledged listeners and clusters. */
  readonly acknowledged: boolean;
  readonly lastError?: string;
}

export interface Relay {
  status(): RelayStatus;
  /** Tells the control plane anew what the node is; Envoy hears only what follows from it. */
  setNodeMetadata(metadata: JsonObject): void;
  close(): Promise<void>;
}

/** How long what Envoy acknowledged may be missing on disk. */
const SAVE_AFTER_MS = 200;

/** Delta ADS for one Envoy on its Unix socket. @throws MeshError `io` where the socket can't be made. */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const relay = new EnvoyRelay(options);
  await relay.listen();
  return relay;
}

class EnvoyRelay implements Relay {
  readonly #options: RelayOptions;
  readonly #server = new Server({
    "grpc.max_receive_message_length": 16 * 1024 * 1024,
    "grpc.max_send_message_length": -1,
    "grpc.max_concurrent_streams": 16,
  });
  readonly #cache: Cache;
  #nodeMetadata: JsonObject | undefined;
  #session: RelaySession | undefined;
  #lastError: string | undefined;
  #save: NodeJS.Timeout | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#nodeMetadata = options.nodeMetadata;
    const { cache, problem } = Cache.open(options.cacheFile);
    this.#cache = cache;
    this.#lastError = problem;
    this.#server.addService(ADS_SERVICE, {
      DeltaAggregatedResources: (call: EnvoyCall) => this.#accept(call),
      StreamAggregatedResources: (call: EnvoyCall) =>
        call.emit("error", { code: status.UNIMPLEMENTED, details: "the agent speaks delta xDS", metadata: new Metadata() }),
    });
  }

  async listen(): Promise<void> {
    const { socketPath } = this.#options;
    rmSync(socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve();
        else reject(new MeshError("io", `can't listen on ${socketPath}`, { cause: error }));
      });
    });
    chmodSync(socketPath, 0o600);
  }

  status(): RelayStatus {
    const session = this.#session;
    return {
      connected: session?.isConnected ?? false,
      stale: session?.isStale ?? false,
      acknowledged: session?.isAcknowledged ?? false,
      ...(this.#lastError !== undefined && { lastError: this.#lastError }),
    };
  }

  setNodeMetadata(metadata: JsonObject): void {
    this.#nodeMetadata = metadata;
    this.#session?.nodeChanged();
  }

  async close(): Promise<void> {
    this.#session?.end();
    clearTimeout(this.#save);
    this.#saveNow();
    this.#server.forceShutdown();
    rmSync(this.#options.socketPath, { force: true });
  }

  #accept(call: EnvoyCall): void {
    call.on("error", () => undefined);
    const { upstream, node, secrets, mayServeStale, random = Math.random } = this.#options;
    const observe = (event: RelayEvent) => this.#observe(event);
    const session = new RelaySession({
      call,
      upstream,
      random,
      node,
      nodeMetadata: () => this.#nodeMetadata,
      secrets,
      mayServeStale,
      cache: this.#cache,
      observe,
    });
    call.on("data", (bytes: Buffer) => this.#receive(session, bytes));
    call.on("end", () => call.end());
    for (const event of ["cancelled", "close"]) call.on(event, () => this.#ended(session));
  }

  #receive(session: RelaySession, bytes: Buffer): void {
    try {
      session.receive(bytes);
      if (session.hasMet) this.#adopt(session);
    } catch (error) {
      this.#lastError = error instanceof Error ? error.message : String(error);
      session.end(status.INVALID_ARGUMENT, "the request is not a discovery request");
    }
  }

  /** One Envoy, one stream: the newer one counts, as soon as it has said who it is; the older is of a connection that is about to end. */
  #adopt(session: RelaySession): void {
    if (this.#session === session) return;
    this.#session?.end(status.ABORTED, "the proxy has opened another stream");
    this.#session = session;
  }

  #ended(session: RelaySession): void {
    session.end();
    if (this.#session === session) this.#session = undefined;
  }

  #observe(event: RelayEvent): void {
    if (event.kind === "connected") this.#lastError = undefined;
    if (event.kind === "disconnected") this.#lastError = `the control plane can't be reached: ${event.reason}`;
    if (event.kind === "nack") this.#lastError = `Envoy refused a configuration: ${event.message}`;
    if (event.kind === "ack") this.#save ??= setTimeout(() => this.#saveNow(), SAVE_AFTER_MS).unref();
    this.#options.observe(event);
  }

  #saveNow(): void {
    this.#save = undefined;
    try {
      this.#cache.save(Date.now());
    } catch (error) {
      this.#lastError = `the configuration can't be saved: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
}
