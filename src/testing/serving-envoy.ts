import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { Cluster_DiscoveryType, ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import type { HttpConnection } from "../ir/http-connection.ts";
import { INBOUND_SLOTS } from "../ir/policy-slots.ts";
import type { Policies } from "../ir/policy.ts";
import { encodeResource } from "../translate/envoy/any.ts";
import { toExtensions } from "../translate/envoy/extension.ts";
import { socketAddress, toEnvoyListener } from "../translate/envoy/listener.ts";
import type { ListenerSettings } from "../translate/envoy/listener-settings.ts";
import type { EnvoyResource } from "../translate/envoy/resource.ts";
import { startEnvoyOracle } from "./envoy-oracle.ts";
import { freePort } from "./free-port.ts";

export interface Reply {
  readonly status: number;
  /** What the application saw; empty where the request never got there. */
  readonly seen: { readonly url?: string; readonly headers?: IncomingHttpHeaders };
  readonly headers: IncomingHttpHeaders;
}

export interface ServingEnvoy {
  readonly port: number;
  /** Puts these policies in the slots and waits until Envoy has taken them. */
  setPolicies(policies: Policies): Promise<void>;
  send(path: string, headers?: Readonly<Record<string, string | readonly string[]>>, method?: string): Promise<Reply>;
  close(): Promise<void>;
}

export const BACKEND = "backend";

/** A real Envoy with one HTTP listener in front of an application that answers with what it saw. */
export async function startServingEnvoy(settings: ListenerSettings, over: Partial<HttpConnection> = {}): Promise<ServingEnvoy> {
  const application = await listen(createServer(answerAsAsked));
  const port = await freePort();
  const oracle = await startEnvoyOracle({ bindsPorts: true });
  const fixed = [backend((application.address() as AddressInfo).port), listener(port, settings, over)];
  return {
    port,
    async setPolicies(http) {
      const empty = { enforced: false, policies: [] };
      const refused = (await oracle.judge([...fixed, ...toExtensions("sidecar", { http, tcp: { deny: empty, allow: empty } })])).filter(
        ({ outcome }) => outcome === "refused",
      );
      if (refused.length > 0) throw new Error(`refused: ${JSON.stringify(refused)}`);
      await untilListening(port);
    },
    send: (path, headers = {}, method = "GET") => send(port, path, headers, method),
    async close() {
      await oracle.close();
      await new Promise((resolve) => application.close(resolve));
    },
  };
}

/** Tells what it saw; with the status of `x-answer`, and as gRPC with that of `x-answer-grpc`. */
function answerAsAsked({ url, headers }: IncomingMessage, answer: ServerResponse): void {
  const grpcStatus = headers["x-answer-grpc"];
  answer.writeHead(
    Number(headers["x-answer"] ?? 200),
    grpcStatus === undefined ? {} : { "content-type": "application/grpc", "grpc-status": grpcStatus },
  );
  answer.end(JSON.stringify({ url, headers }));
}

function listener(port: number, settings: ListenerSettings, over: Partial<HttpConnection>): EnvoyResource {
  const route = {
    name: "default",
    match: { path: { kind: "prefix", value: "/" }, headers: [], query: [] },
    action: { kind: "forward", destinations: [{ cluster: BACKEND, weight: 1 }] },
    origin: [],
  } as const;
  const routes = {
    inline: { name: BACKEND, ignorePortInHost: true, virtualHosts: [{ name: "all", domains: ["*"], routes: [route], origin: [] }] },
  };
  const connection: HttpConnection = {
    kind: "http",
    statPrefix: "test",
    role: "inbound",
    routes,
    codec: "auto",
    slots: INBOUND_SLOTS,
    websocketUpgrade: true,
    ...over,
  };
  const chains = [{ name: "http", match: {}, connection, origin: [] }];
  const inspect = { tls: false, http: false };
  return toEnvoyListener(
    {
      name: "test",
      address: "127.0.0.1",
      port,
      bindToPort: true,
      direction: "inbound",
      useOriginalDestination: false,
      inspect,
      chains,
      origin: [],
    },
    settings,
  );
}

/** The cluster of an application on this port. */
export function backend(port: number): EnvoyResource {
  const endpoint = { hostIdentifier: { case: "endpoint" as const, value: { address: socketAddress("127.0.0.1", port) } } };
  const message = create(ClusterSchema, {
    name: BACKEND,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    loadAssignment: { clusterName: BACKEND, endpoints: [{ lbEndpoints: [endpoint] }] },
  });
  return encodeResource(ClusterSchema, message, { type: "cluster", name: BACKEND, references: [], origins: new Map() });
}

function send(port: number, path: string, headers: Readonly<Record<string, string | readonly string[]>>, method: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method, headers: headers as Record<string, string>, agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => (text += chunk));
      answer.on("end", () =>
        resolve({
          status: answer.statusCode ?? 0,
          seen: text.startsWith("{") ? (JSON.parse(text) as Reply["seen"]) : {},
          headers: answer.headers,
        }),
      );
    });
    sent.on("error", reject);
    sent.end();
  });
}

/** A listener opens when its slots are filled, a moment after Envoy has taken their content. */
async function untilListening(port: number): Promise<void> {
  const end = performance.now() + 60_000;
  while (performance.now() < end) {
    try {
      await send(port, "/", {}, "GET");
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error("Envoy did not open its port in time");
}

async function listen(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
