import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials, Metadata, ServerCredentials, type Server as GrpcServer } from "@grpc/grpc-js";
import { startRelay, type Relay, type RelayEvent } from "../agent/relay.ts";
import { testEnvoyPath } from "./envoy-oracle.ts";
import type { LocalSecrets } from "../agent/sds.ts";
import type { Snapshot } from "../translate/envoy/resource.ts";
import { createGrpcServer, createXdsService, type XdsEvent, type XdsService } from "../xds/index.ts";

const NODE_ID = "sidecar~127.0.0.1~app-1.shop~shop.svc.cluster.local";

/** The program to test with: `KUMIKO_ENVOY`, or what the product itself would run; undefined where there is none. In CI that is a failure. */
export async function findTestEnvoy(): Promise<string | undefined> {
  try {
    return await testEnvoyPath();
  } catch (error) {
    if (process.env["CI"] === "true") throw error;
    process.stderr.write(
      `SKIPPED: no Envoy to test with; set KUMIKO_ENVOY to a program (${error instanceof Error ? error.message : String(error)})\n`,
    );
    return undefined;
  }
}

const NO_SECRETS: LocalSecrets = { current: () => undefined, onChange: () => () => undefined };

export interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A control plane, a relay, an Envoy and two applications, on sockets of their own. */
export class XdsWorld {
  #folder: string | undefined;
  readonly events: XdsEvent[] = [];
  readonly relayEvents: RelayEvent[] = [];
  readonly #envoyPath: string;
  readonly #applications: Server[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  #snapshot: Snapshot = new Map();
  #grpc: GrpcServer | undefined;
  #service: XdsService | undefined;
  #relay: Relay | undefined;
  #envoy: ChildProcess | undefined;
  log = "";

  constructor(envoyPath: string) {
    this.#envoyPath = envoyPath;
  }

  /** Made when it is first needed, so that a skipped test leaves nothing behind. */
  get folder(): string {
    this.#folder ??= mkdtempSync(join(tmpdir(), "kumiko-xds-"));
    return this.#folder;
  }

  async startControlPlane(): Promise<void> {
    const grpc = createGrpcServer();
    this.#service = createXdsService({
      snapshotFor: () => this.#snapshot,
      admit: (_peer, claimed) => claimed,
      observe: (event) => this.events.push(event),
    });
    this.#service.register(grpc, "unix");
    await new Promise<void>((resolve, reject) => {
      grpc.bindAsync(`unix:${this.folder}/cp.sock`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    this.#grpc = grpc;
  }

  stopControlPlane(): void {
    this.#service?.close();
    this.#grpc?.forceShutdown();
    rmSync(`${this.folder}/cp.sock`, { force: true });
  }

  async startRelay(secrets: LocalSecrets = NO_SECRETS): Promise<void> {
    const connect = () => ({
      client: new Client(`unix:${this.folder}/cp.sock`, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 }),
      metadata: new Metadata(),
    });
    this.#relay = await startRelay({
      socketPath: `${this.folder}/xds.sock`,
      upstream: { connect, longestWaitMs: 1000 },
      node: NODE_ID,
      secrets,
      mayServeStale: () => true,
      cacheFile: `${this.folder}/copy`,
      observe: (event) => this.relayEvents.push(event),
      random: () => 0.1,
    });
  }

  async stopRelay(): Promise<void> {
    await this.#relay?.close();
  }

  get relay(): Relay {
    if (this.#relay === undefined) throw new Error("the relay was not started");
    return this.#relay;
  }

  get service(): XdsService {
    if (this.#service === undefined) throw new Error("the control plane was not started");
    return this.#service;
  }

  set(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#service?.push();
  }

  startEnvoy(): void {
    writeFileSync(join(this.folder, "bootstrap.json"), JSON.stringify(bootstrap(this.folder)));
    const args = ["-c", "bootstrap.json", "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning", "--disable-hot-restart"];
    this.#envoy = spawn(this.#envoyPath, args, { cwd: this.folder, stdio: ["ignore", "ignore", "pipe"] });
    this.#envoy.stderr?.on("data", (text: Buffer) => (this.log += text.toString()));
  }

  async killEnvoy(): Promise<void> {
    const envoy = this.#envoy;
    if (envoy === undefined || envoy.exitCode !== null || envoy.signalCode !== null) return;
    const ended = new Promise((resolve) => envoy.once("exit", resolve));
    envoy.kill("SIGKILL");
    await ended;
  }

  /** An application that answers its own name. */
  async startApplication(name: string): Promise<number> {
    const server = createServer((_, response) => response.end(name));
    this.#applications.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  }

  get(port: number): Promise<Reply | undefined> {
    return new Promise((resolve) => {
      const call = request({ host: "127.0.0.1", port, path: "/", agent: this.#agent }, (response) => {
        let body = "";
        response.on("data", (text: Buffer) => (body += text.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
        response.on("error", () => resolve(undefined));
      });
      call.on("error", () => resolve(undefined));
      call.end();
    });
  }

  /** Every type of every proxy holds what it should. */
  isSynced(): boolean {
    const proxies = this.service.status();
    return proxies.length > 0 && proxies.every(({ types }) => types.length >= 4 && types.every(({ isSynced }) => isSynced));
  }

  async close(): Promise<void> {
    await this.killEnvoy();
    await this.stopRelay();
    this.stopControlPlane();
    this.#agent.destroy();
    for (const server of this.#applications) server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function bootstrap(folder: string): object {
  const http2 = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      explicit_http_config: { http2_protocol_options: {} },
    },
  };
  const pipe = { endpoint: { address: { pipe: { path: `${folder}/xds.sock` } } } };
  return {
    node: { id: NODE_ID, cluster: "app", metadata: { NAMESPACE: "shop", SERVICE_ACCOUNT: "default" } },
    admin: { address: { pipe: { path: `${folder}/admin.sock`, mode: 0o600 } } },
    dynamic_resources: {
      ads_config: { api_type: "DELTA_GRPC", transport_api_version: "V3", grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }] },
      cds_config: { ads: {}, resource_api_version: "V3" },
      lds_config: { ads: {}, resource_api_version: "V3" },
    },
    static_resources: {
      clusters: [
        {
          name: "xds",
          type: "STATIC",
          connect_timeout: "1s",
          typed_extension_protocol_options: http2,
          load_assignment: { cluster_name: "xds", endpoints: [{ lb_endpoints: [pipe] }] },
        },
      ],
    },
  };
}
