/**
 * What the runtime of this machine must know: Deployments, ConfigMaps, Secrets and the like, from the control plane over a 0600 socket of
 * its own. The admin API never hands out a Secret's values; a kubelet needs them.
 */
import { chmodSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { valuesOf } from "../base/tree.ts";
import { MeshError } from "../model/error.ts";
import type { Metadata } from "../model/resource.ts";
import { ask } from "./admin-client.ts";
import type { World } from "./world.ts";

/** One resource as it is fed. */
export interface FedResource {
  readonly kind: string;
  readonly metadata: Metadata;
  readonly body: unknown;
}

interface Feed {
  readonly revision: string;
  readonly resources: readonly FedResource[];
}

export interface FeedServer {
  /** The world changed: who waits gets an answer. */
  changed(): void;
  close(): Promise<void>;
}

const WAIT_MS = 20_000;
const RETRY_MS = 250;
const MAX_URL = 4096;

/** `GET /?kinds=A,B&after=REVISION` answers when the revision is another one, at the latest after 20 s. */
export async function serveFeed(socket: string, world: () => World): Promise<FeedServer> {
  const waiting = new Set<() => void>();
  const server = createServer({ maxHeaderSize: 2 * MAX_URL }, async (request, response) => {
    const query = new URLSearchParams(/\?.*/.exec(request.url ?? "")?.[0]);
    const kinds = new Set((query.get("kinds") ?? "").split(","));
    if (query.get("after") === world().revision) await nextChange(waiting);
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(toFeed(world(), kinds)));
  });
  rmSync(socket, { force: true });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(socket, resolve));
  chmodSync(socket, 0o600);
  return {
    changed() {
      for (const wake of [...waiting]) wake();
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function nextChange(waiting: Set<() => void>): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      waiting.delete(wake);
      resolve();
    };
    const timer = setTimeout(wake, WAIT_MS).unref();
    waiting.add(wake);
  });
}

function toFeed(world: World, kinds: ReadonlySet<string>): Feed {
  const resources = [...valuesOf(world.held)]
    .filter(({ resource }) => kinds.has(resource.kind))
    .map(({ resource: { kind, metadata, body } }) => ({ kind, metadata, body }));
  return { revision: world.revision, resources };
}

/**
 * Calls back with all resources of the kinds: as soon as they are known, and after each change of the world. While the control plane is away
 * the last ones stay. Returns how to end it.
 */
export function followFeed(socket: string, kinds: readonly string[], listener: (resources: readonly FedResource[]) => void): () => void {
  const abort = new AbortController();
  void (async () => {
    let last = "";
    let seen = "";
    while (!abort.signal.aborted) {
      try {
        const { body } = await ask(socket, `/?kinds=${kinds.join(",")}&after=${last}`, { timeoutMs: 2 * WAIT_MS, signal: abort.signal });
        const feed = readFeed(body);
        last = feed.revision;
        const text = JSON.stringify(feed.resources);
        if (text !== seen && !abort.signal.aborted) listener(feed.resources);
        seen = text;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  })();
  return () => abort.abort();
}

function readFeed(body: unknown): Feed {
  const { revision, resources } = (body ?? {}) as Partial<Feed>;
  if (typeof revision !== "string" || !Array.isArray(resources))
    throw new MeshError("protocol", "the control plane's feed has another form");
  return { revision, resources };
}
