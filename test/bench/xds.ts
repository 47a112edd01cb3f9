import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ServerCredentials, type Server } from "@grpc/grpc-js";
import { createMesh, type Mesh } from "../../src/mesh/index.ts";
import type { Proxy } from "../../src/model/proxy.ts";
import type { LocatedResource } from "../../src/model/resource.ts";
import { FakeXdsClient } from "../../src/testing/fake-xds-client.ts";
import { largeResources, withEditedRoute } from "../../src/testing/large-mesh.ts";
import { until } from "../../src/testing/until.ts";
import { createTranslator, type ResourceType, type Snapshot } from "../../src/translate/index.ts";
import { createGrpcServer, createXdsService, type XdsService } from "../../src/xds/index.ts";

const SERVICES = 1_000;
const DEADLINE_MS = 120_000;

/** One measured thing; times in milliseconds, of server and fake clients in one process. */
export interface XdsMeasurement {
  readonly clients: number;
  readonly startMs: number;
  readonly startBytes: number;
  readonly pushMs: number;
  readonly pushBytes: number;
  /** The longest time that the event loop stood still during the push. */
  readonly pushStallMs: number;
}

/** Delta clients against the real translator with a mesh of 1,000 services: start of all, then one edited route. */
export async function measureXds(clients: number): Promise<XdsMeasurement> {
  const bench = new XdsBench();
  await bench.open();
  try {
    return await bench.measure(clients);
  } finally {
    bench.close();
  }
}

/** Prints 1 and 100 clients and how they compare; for `make bench`. */
export async function benchXds(print: (line: string) => void): Promise<void> {
  const [one, hundred] = [await measureXds(1), await measureXds(100)];
  for (const { clients, startMs, startBytes, pushMs, pushBytes, pushStallMs } of [one, hundred]) {
    print(
      `xds ${SERVICES} services, ${clients} clients: start ${startMs.toFixed(0)} ms (${kilobytes(startBytes)}), push of one route ${pushMs.toFixed(0)} ms (${kilobytes(pushBytes)}), event loop at most ${pushStallMs.toFixed(0)} ms still`,
    );
  }
  print(
    `xds ratios: start 100/1 = ${(hundred.startMs / one.startMs).toFixed(1)}, push 100/1 = ${(hundred.pushMs / one.pushMs).toFixed(1)}, push/start for 1 = ${(one.pushMs / one.startMs).toFixed(2)}, bytes push/start = ${(one.pushBytes / one.startBytes).toFixed(3)}`,
  );
}

class XdsBench {
  readonly #folder = mkdtempSync(join(tmpdir(), "kumiko-bench-"));
  readonly #translator = createTranslator();
  readonly #clients: FakeXdsClient[] = [];
  readonly #server: Server = createGrpcServer();
  readonly #service: XdsService;
  #resources: readonly LocatedResource[] = largeResources(SERVICES);
  #mesh: Mesh;

  constructor() {
    this.#mesh = this.#createMesh();
    this.#service = createXdsService({
      snapshotFor: (proxy) => this.#snapshotFor(proxy),
      admit: (_peer, claimed) => claimed,
      observe: () => undefined,
    });
    this.#service.register(this.#server, "unix");
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`unix:${this.#folder}/xds.sock`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }

  async measure(count: number): Promise<XdsMeasurement> {
    const startMs = await this.#time(() => this.#start(count));
    const startBytes = this.#bytes();
    const messages = this.#clients.map(({ messagesReceived }) => messagesReceived);
    this.#resources = withEditedRoute(this.#resources, "11s");
    const stall = watchStall();
    const pushMs = await this.#time(async () => {
      this.#mesh = this.#createMesh();
      this.#service.push();
      await until(
        "all have the edit",
        () => this.#clients.every(({ messagesReceived }, i) => messagesReceived > (messages[i] ?? 0)),
        DEADLINE_MS,
      );
    });
    return { clients: count, startMs, startBytes, pushMs, pushBytes: this.#bytes() - startBytes, pushStallMs: stall() };
  }

  close(): void {
    for (const client of this.#clients) client.close();
    this.#service.close();
    this.#server.forceShutdown();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(count: number): Promise<void> {
    const starts: Promise<void>[] = [];
    for (let i = 0; i < count; i++) starts.push(this.#startOne(i));
    await Promise.all(starts);
    await until(
      "all is acknowledged",
      () => this.#service.status().every(({ types }) => types.every(({ isSynced }) => isSynced)),
      DEADLINE_MS,
    );
  }

  /** As Envoy starts: clusters, their endpoints, listeners, then what these name. */
  async #startOne(i: number): Promise<void> {
    const name = `service-${i}`;
    const namespace = `team-${Math.floor(i / 10)}`;
    const nodeId = `sidecar~10.64.0.${i}~${name}-0.${namespace}~${namespace}.svc.cluster.local`;
    const nodeMetadata = { NAMESPACE: namespace, SERVICE_ACCOUNT: name, LABELS: { app: name, version: "v1" } };
    const client = new FakeXdsClient("delta", { address: `unix:${this.#folder}/xds.sock`, nodeId, nodeMetadata, acknowledges: true });
    this.#clients.push(client);
    client.subscribe("cluster");
    await client.next("cluster", 0, DEADLINE_MS);
    const proxy = await until("it is known", () => this.#service.status().find((status) => status.proxy.id === nodeId)?.proxy, DEADLINE_MS);
    const snapshot = this.#snapshotFor(proxy);
    const names = (type: ResourceType) => [...(snapshot.get(type)?.keys() ?? [])];
    client.subscribe("endpoint", names("endpoint"));
    await client.next("endpoint", 0, DEADLINE_MS);
    client.subscribe("listener");
    await client.next("listener", 0, DEADLINE_MS);
    client.subscribe("extension", names("extension"));
    client.subscribe("route", names("route"));
    await client.next("route", 0, DEADLINE_MS);
  }

  #snapshotFor(proxy: Proxy): Snapshot {
    return this.#translator.translate(this.#mesh, proxy).snapshot;
  }

  #createMesh(): Mesh {
    return createMesh(this.#resources);
  }

  #bytes(): number {
    return this.#clients.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0);
  }

  async #time(run: () => Promise<void>): Promise<number> {
    const start = performance.now();
    await run();
    return performance.now() - start;
  }
}

/** Gives the longest gap between two turns of a 1 ms timer. */
function watchStall(): () => number {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  return () => {
    clearInterval(timer);
    return longest;
  };
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(0)} kB`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await benchXds((line) => process.stdout.write(`${line}\n`));
