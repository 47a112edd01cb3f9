import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultCacheDir, findEnvoy } from "../agent/envoy-binary.ts";
import { TYPE_URLS, type EnvoyResource, type ResourceType, type Snapshot } from "../translate/envoy/resource.ts";
import { type AdsSubscription, startOneByOneAds } from "./one-by-one-ads.ts";
import { ownSecrets } from "./own-secrets.ts";
import { routeProbes, withoutPorts } from "./oracle-listeners.ts";

/** What a real Envoy says to one resource. `unasked`: nothing that it accepted refers to the resource, so that it never asked for it. */
export interface Verdict {
  readonly type: ResourceType;
  readonly name: string;
  readonly outcome: "accepted" | "refused" | "unasked";
  readonly error?: string;
}

export interface EnvoyOracle {
  /** Gives the resources to Envoy in place of those before, and waits until it has judged each that it asks for. */
  judge(resources: Iterable<EnvoyResource> | Snapshot): Promise<readonly Verdict[]>;
  close(): Promise<void>;
}

const DEADLINE_MS = 20_000;
/** Each is sent when what refers to it has been accepted. */
const ORDER: readonly ResourceType[] = ["cluster", "endpoint", "secret", "extension", "listener", "route"];

/** The path of an Envoy for tests: KUMIKO_ENVOY, or what the product itself would run. */
export async function testEnvoyPath(): Promise<string> {
  return (await findEnvoy({ explicit: process.env["KUMIKO_ENVOY"], cacheDir: defaultCacheDir(process.env) })).path;
}

export interface OracleOptions {
  readonly bindsPorts?: boolean;
  /** What the proxy's agent would answer: `default` and `ROOTCA`. */
  readonly own?: readonly EnvoyResource[];
  /** The address that its connections come from. */
  readonly sourceAddress?: string;
}

/**
 * Starts one Envoy that judges any number of configurations, one resource at a time over delta ADS, so that each refusal names exactly one
 * resource. It binds no port, unless a test wants to send requests through it (`bindsPorts`).
 */
export async function startEnvoyOracle({ bindsPorts = false, own, sourceAddress }: OracleOptions = {}): Promise<EnvoyOracle> {
  const envoyPath = await testEnvoyPath();
  const folder = mkdtempSync(join(tmpdir(), "kumiko-oracle-"));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  const ads = await startOneByOneAds(join(folder, "ads.sock")).catch((error: unknown) => {
    removeFolder();
    throw error;
  });
  const bootstrap = join(folder, "bootstrap.json");
  writeFileSync(bootstrap, JSON.stringify(bootstrapFor(join(folder, "ads.sock"), sourceAddress)));
  const envoy = spawn(
    envoyPath,
    [
      "-c",
      bootstrap,
      "--use-dynamic-base-id",
      "--concurrency",
      "1",
      "--drain-time-s",
      "1",
      "--file-flush-interval-msec",
      "50",
      "-l",
      "critical",
    ],
    { stdio: "ignore" },
  );
  // A test run that is broken off leaves nothing behind either.
  const abandon = () => {
    envoy.kill("SIGKILL");
    removeFolder();
  };
  process.once("exit", abandon);
  const gone = new Promise<never>((_, reject) => {
    envoy.once("error", reject);
    envoy.once("exit", (code, signal) => reject(new Error(`Envoy ended: ${signal ?? code}`)));
  });
  gone.catch(() => {});
  const close = async () => {
    await stop(envoy);
    ads.close();
    removeFolder();
    process.removeListener("exit", abandon);
  };
  try {
    await Promise.race([ads.connected, gone, deadline("Envoy did not connect")]);
  } catch (error) {
    await close();
    throw error;
  }
  const prepare = bindsPorts ? (resource: EnvoyResource) => resource : withoutPorts;
  return { judge: (resources) => Promise.race([judge(ads, toList(resources), own ?? ownSecrets(), prepare), gone]), close };
}

type Prepare = (resource: EnvoyResource) => EnvoyResource;

async function judge(
  ads: AdsSubscription,
  given: readonly EnvoyResource[],
  own: readonly EnvoyResource[],
  prepare: Prepare,
): Promise<readonly Verdict[]> {
  const resources = [...given, ...own, ...routeProbes(given)].map(prepare);
  await ads.replace(resources);
  const verdicts = new Map<string, Verdict>();
  const asked = new Set<string>(resources.filter(({ type }) => type === "cluster" || type === "listener").map(keyOf));
  for (const type of ORDER) {
    const some = resources.filter((resource) => resource.type === type);
    await Promise.all(
      some.map(async (resource) => verdicts.set(keyOf(resource), await verdictOf(ads, resource, asked.has(keyOf(resource))))),
    );
    // A second look: routes and slots are asked for only by listeners that were accepted.
    for (const resource of some)
      if (verdicts.get(keyOf(resource))?.outcome === "accepted") for (const name of resource.references) asked.add(keyOf(name));
    if (type === "listener")
      await Promise.all(
        resources
          .filter((late) => isLate(late, asked, verdicts))
          .map(async (late) => verdicts.set(keyOf(late), await verdictOf(ads, late, true))),
      );
  }
  return given.map((resource) => verdicts.get(keyOf(resource)) ?? { type: resource.type, name: resource.name, outcome: "unasked" });
}

function isLate(resource: EnvoyResource, asked: ReadonlySet<string>, verdicts: ReadonlyMap<string, Verdict>): boolean {
  return asked.has(keyOf(resource)) && verdicts.get(keyOf(resource))?.outcome === "unasked";
}

async function verdictOf(ads: AdsSubscription, { type, name }: EnvoyResource, isAsked: boolean): Promise<Verdict> {
  if (!isAsked) return { type, name, outcome: "unasked" };
  const answer = await Promise.race([ads.answerTo(TYPE_URLS[type], name), deadline(`Envoy gave no answer to ${type} ${name}`)]);
  return answer === "ack" ? { type, name, outcome: "accepted" } : { type, name, outcome: "refused", error: answer.error };
}

function keyOf({ type, name }: { readonly type: ResourceType; readonly name: string }): string {
  return `${type}/${name}`;
}

function toList(resources: Iterable<EnvoyResource> | Snapshot): readonly EnvoyResource[] {
  return resources instanceof Map
    ? [...(resources as Snapshot).values()].flatMap((byName) => [...byName.values()])
    : [...(resources as Iterable<EnvoyResource>)];
}

function deadline(what: string): Promise<never> {
  return new Promise((_, reject) => setTimeout(() => reject(new Error(`${what} within ${DEADLINE_MS / 1000} s`)), DEADLINE_MS).unref());
}

async function stop(envoy: ChildProcess): Promise<void> {
  if (envoy.exitCode !== null || envoy.signalCode !== null || envoy.pid === undefined) return;
  const ended = new Promise((resolve) => envoy.once("exit", resolve));
  envoy.kill("SIGKILL");
  await ended;
}

function bootstrapFor(socket: string, sourceAddress: string | undefined) {
  const grpc = { envoy_grpc: { cluster_name: "ads" } };
  const http2 = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      explicit_http_config: { http2_protocol_options: {} },
    },
  };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: socket } } } }] }];
  return {
    node: { id: "oracle", cluster: "oracle" },
    ...(sourceAddress !== undefined && {
      cluster_manager: { upstream_bind_config: { source_address: { address: sourceAddress, port_value: 0 } } },
    }),
    dynamic_resources: {
      ads_config: { api_type: "DELTA_GRPC", transport_api_version: "V3", grpc_services: [grpc] },
      cds_config: { ads: {}, resource_api_version: "V3" },
      lds_config: { ads: {}, resource_api_version: "V3" },
    },
    // As the agent's bootstrap says: Envoy's own limit refuses a pattern with one long host name in it.
    layered_runtime: { layers: [{ name: "kumiko", static_layer: { "re2.max_program_size.error_level": 32_768 } }] },
    static_resources: {
      clusters: [
        {
          name: "ads",
          type: "STATIC",
          connect_timeout: "5s",
          typed_extension_protocol_options: http2,
          load_assignment: { cluster_name: "ads", endpoints },
        },
      ],
    },
  };
}
