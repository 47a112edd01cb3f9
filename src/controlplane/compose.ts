import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import { startAdmin } from "../admin/index.ts";
import {
  type Authority,
  authenticateLocalAgent,
  authenticateRemoteAgent,
  createJoinTokens,
  type JoinTokens,
  listenTls,
  openAuthority,
  registerCa,
} from "../ca/index.ts";
import { MeshError } from "../model/error.ts";
import type { Identity } from "../model/identity.ts";
import type { Profile } from "../schema/mesh-config.ts";
import { type FileSource, startFileSource } from "../source/index.ts";
import type { ResourcePath } from "../model/resource-path.ts";
import { startKeySetSource } from "../source/key-sets.ts";
import { attest, checkLoopback, createGrpcServer, createXdsService, isOfDomain, type XdsService } from "../xds/index.ts";
import { type Applied, openApplied } from "./applied.ts";
import { createBackend } from "./backend.ts";
import type { Places } from "./config.ts";
import { makePrivateFolder } from "./lifecycle.ts";
import { LiveMesh } from "./live-mesh.ts";
import { serveFeed } from "./resource-feed.ts";
import { heldKeySets, keySetUris } from "./world.ts";

export interface ControlPlaneOptions {
  readonly version: string;
  readonly command: "up" | "serve";
  readonly places: Places;
  /** Files and folders of resources. */
  readonly paths: readonly ResourcePath[];
  readonly profile?: Profile;
  /** A development root may sign. */
  readonly dev: boolean;
  /** Where outside hosts really are, for fetching keys. */
  readonly hosts: ReadonlyMap<string, string>;
  /** PEM authorities trusted when keys are fetched. */
  readonly authorities: readonly string[];
  /** `HOST:PORT` for agents of other machines, over mTLS. */
  readonly listen?: { readonly host: string; readonly port: number };
  /** Loopback `ADDRESS:PORT` in plaintext, for tools. */
  readonly insecureXds?: string;
  /** Socket of the resource feed, for a runtime on this machine. */
  readonly feedSocket?: string;
  readonly say: (line: string) => void;
}

export interface ControlPlane {
  readonly trustDomain: string;
  readonly isDevelopment: boolean;
  /** Port of `listen`, as bound. */
  readonly port: number | undefined;
  close(): Promise<void>;
}

/** Under the 1 h that a certificate lives: a connection never outlives the identity that it was opened with. */
const CONNECTION_AGE_MS = 30 * 60_000;

/** What has been opened so far, closed in the opposite order. */
type Closers = (() => unknown)[];

/**
 * The only place that knows every edge of the control plane: files, store and key sets in; xDS, certificates and the admin API out.
 * @throws MeshError where a folder, socket or port can't be had, or where no authority may sign.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const closers: Closers = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    return { ...(await open(options, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(options: ControlPlaneOptions, closers: Closers): Promise<Omit<ControlPlane, "close">> {
  const { places, say } = options;
  makePrivateFolder(places.state);
  makePrivateFolder(places.run);
  const wake: (() => void)[] = [];
  const live = new LiveMesh({
    ...(options.profile !== undefined && { profile: options.profile }),
    say,
    onChange: () => wake.forEach((run) => run()),
  });
  const applied = await openApplied(join(places.state, "store.db"), (input) => live.set("store", input));
  closers.push(() => applied.close());
  const files = await startSources(options, { live, applied }, closers, wake);

  const { trustDomain } = live.world.mesh.settings;
  const authority = await openAuthority({ dir: join(places.state, "ca"), trustDomain, dev: options.dev });
  const joinTokens = createJoinTokens({ store: applied.store, rootsPem: authority.rootsPem });
  const xds = createXdsService({
    snapshotFor: (proxy) => live.snapshotFor(proxy),
    admit: (peer, claimed) => {
      const isOurs = isOfDomain(peer, trustDomain);
      return isOurs === true ? attest(peer, claimed, live.world.mesh.workloads) : isOurs;
    },
    observe: (event) => live.observe(event),
  });
  closers.push(() => xds.close());
  wake.push(() => xds.push());
  const port = await listen(options, { xds, authority, joinTokens, live }, closers);

  const backend = createBackend({
    live,
    applied,
    files,
    xds,
    authority,
    joinTokens,
    agentSocket: places.agentSocket,
    about: { version: options.version, pid: process.pid, startedAt: new Date().toISOString(), command: options.command, root: places.root },
  });
  const admin = await startAdmin({
    socket: places.adminSocket,
    backend,
    report: (error) => (error.stack ?? error.message).split("\n").forEach(say),
  });
  closers.push(() => admin.close());
  return { trustDomain, isDevelopment: authority.isDevelopment, port };
}

/** Files, key sets and the feed: what tells the mesh of changes, and what must be told. */
async function startSources(
  options: ControlPlaneOptions,
  { live, applied }: { readonly live: LiveMesh; readonly applied: Applied },
  closers: Closers,
  wake: (() => void)[],
): Promise<FileSource> {
  const keys = startKeySetSource({
    hosts: options.hosts,
    ...(options.authorities.length > 0 && { ca: options.authorities }),
    lastGood: applied.lastGoodKeys,
    onChange: (sets) => live.set("keys", { held: heldKeySets(sets), diagnostics: [] }),
    onProblem: (uri, problem) => options.say(`keys of ${uri}: ${problem}`),
  });
  closers.push(() => keys.close());
  wake.push(() => keys.setUris(keySetUris(live.world)));
  const files = await startFileSource({
    paths: options.paths,
    lastGood: applied.lastGood,
    kept: applied.kept,
    onFailure: (error) => options.say(`files: ${MeshError.from(error).message}`),
    onChange: ({ resources, diagnostics }) =>
      live.set("folder", { held: resources.map((resource) => ({ resource, revision: resource.hash, holder: "folder" })), diagnostics }),
  });
  closers.push(() => files.close());
  // Proxies that hold keys must not be told that there are none.
  await keys.recalled();
  // Not before everything was read: a runtime that is told of no Deployment ends its Pods.
  if (options.feedSocket !== undefined) {
    const feed = await serveFeed(options.feedSocket, () => live.world);
    closers.push(() => feed.close());
    wake.push(() => feed.changed());
  }
  return files;
}

interface Served {
  readonly xds: XdsService;
  readonly authority: Authority;
  readonly joinTokens: JoinTokens;
  readonly live: LiveMesh;
}

async function listen(
  options: ControlPlaneOptions,
  { xds, authority, joinTokens, live }: Served,
  closers: Closers,
): Promise<number | undefined> {
  const { trustDomain } = authority;
  const local = createGrpcServer();
  xds.register(local, "unix");
  registerCa(local, { authority, authenticate: authenticateLocalAgent(trustDomain) });
  // A control plane that was killed leaves its socket behind; the claim on the folder says that it is gone.
  rmSync(options.places.controlPlaneSocket, { force: true });
  await bind(local, `unix:${options.places.controlPlaneSocket}`);
  chmodSync(options.places.controlPlaneSocket, 0o600);
  closers.push(() => local.forceShutdown());

  if (options.insecureXds !== undefined) {
    checkLoopback(options.insecureXds);
    const insecure = createGrpcServer();
    xds.register(insecure, "insecure");
    await bind(insecure, options.insecureXds);
    closers.push(() => insecure.forceShutdown());
  }
  if (options.listen === undefined) return undefined;
  const remote = createGrpcServer({ maxConnectionAgeMs: CONNECTION_AGE_MS });
  xds.register(remote, "mtls");
  const isMember = ({ namespace, serviceAccount }: Identity) =>
    live.world.mesh.workloads.inNamespace(namespace).some((workload) => workload.serviceAccount === serviceAccount);
  registerCa(remote, { authority, authenticate: authenticateRemoteAgent({ trustDomain, tokens: joinTokens, isMember }) });
  const port = await listenTls(remote, options.listen, authority);
  closers.push(() => port.close());
  return port.port;
}

function bind(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else
        reject(
          new MeshError("io", `can't listen on ${address}: ${error.message}`, { help: "kumiko status, or kumiko down", cause: error }),
        );
    });
  });
}
