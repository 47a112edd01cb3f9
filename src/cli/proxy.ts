import type { ClusterRow, EndpointRow, ListenerRow, RouteRow, SecretRow } from "../admin/index.ts";
import type { ProxyStatus } from "../admin/backend.ts";
import { type Client, connectClient } from "./client.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { findProxy } from "./find-proxy.ts";
import type { Io } from "./io.ts";
import { type Column, DATA_OPTION, isData, writeData, writeTable } from "./output.ts";
import { renderDuration, renderPlace } from "./render.ts";

const VIEWS = ["routes", "clusters", "listeners", "endpoints", "secrets", "bootstrap", "dump"] as const;
type Table = Exclude<(typeof VIEWS)[number], "bootstrap" | "dump">;

export const proxy = defineCommand({
  name: "proxy",
  summary: "Show what one workload's proxy is told, and which line of which file says so",
  arguments: [
    { name: "view", help: "what to show", choices: VIEWS },
    { name: "workload", help: "a Pod, or what made it: users, users-1, users.shop, deploy/users", names: "workload" },
  ],
  options: { output: DATA_OPTION },
  examples: [
    "kumiko proxy routes users -n shop",
    "kumiko proxy clusters gateway.istio-ingress -o json",
    "kumiko proxy dump users -n shop > dump.json",
  ],
  async run({ args, options, io }) {
    const [view = "", workload = ""] = args;
    const client = connectClient(options, io);
    const { items: proxies } = await client.get<{ readonly items: readonly ProxyStatus[] }>("/kumiko/v1/proxies");
    const found = findProxy(workload, options.namespace, proxies);
    const path = `/kumiko/v1/proxies/${encodeURIComponent(found.namespace)}/${encodeURIComponent(found.name)}/${view}`;
    if (isTable(view)) await writeView(client, path, view, options.output, io);
    else await writeData(io, options.output === "yaml" ? "yaml" : "json", await client.get(path));
    return EXIT.done;
  },
});

function isTable(view: string): view is Table {
  return view !== "bootstrap" && view !== "dump";
}

async function writeView(client: Client, path: string, view: Table, format: string | undefined, io: Io): Promise<void> {
  const { items } = await client.get<{ readonly items: readonly unknown[] }>(path);
  if (isData(format)) await writeData(io, format, items);
  else writeTable(io, columnsOf(io)[view] as readonly Column<unknown>[], items, format === "wide");
}

const resource = { heading: "RESOURCE", cell: (row: { readonly resource: string }) => row.resource || "-", wide: true } as const;

function columnsOf({ now, cwd }: Pick<Io, "now" | "cwd">): { readonly [View in Table]: readonly Column<never>[] } {
  const source = { heading: "SOURCE", cell: (row: { readonly source: string }) => renderPlace(row.source, cwd) || "-" };
  const routes: readonly Column<RouteRow>[] = [
    { heading: "TABLE", cell: (row) => row.table },
    { heading: "NAME", cell: (row) => row.name || "-" },
    { heading: "VIRTUAL HOST", cell: (row) => row.virtualHost, wide: true },
    { heading: "DOMAINS", cell: (row) => shorten(row.domains) },
    { heading: "MATCH", cell: (row) => row.match },
    { heading: "TARGET", cell: (row) => row.target },
    resource,
    source,
  ];
  const clusters: readonly Column<ClusterRow>[] = [
    { heading: "HOST", cell: (row) => row.host || "-" },
    { heading: "PORT", cell: (row) => row.port || "-" },
    { heading: "SUBSET", cell: (row) => row.subset || "-" },
    { heading: "DIRECTION", cell: (row) => row.direction || "-" },
    { heading: "DISCOVERY", cell: (row) => row.discovery },
    { heading: "TLS", cell: (row) => row.tls },
    { heading: "CLUSTER", cell: (row) => row.cluster, wide: true },
    resource,
    source,
  ];
  const listeners: readonly Column<ListenerRow>[] = [
    { heading: "LISTENER", cell: (row) => row.listener },
    { heading: "ADDRESS", cell: (row) => row.address },
    { heading: "CHAIN", cell: (row) => row.chain || "-", wide: true },
    { heading: "MATCH", cell: (row) => row.match },
    { heading: "TARGET", cell: (row) => row.target },
    resource,
    source,
  ];
  const endpoints: readonly Column<EndpointRow>[] = [
    { heading: "ENDPOINT", cell: (row) => row.address },
    { heading: "HEALTH", cell: (row) => (row.health === "HEALTHY" ? row.health : { text: row.health, style: "red" }) },
    { heading: "CLUSTER", cell: (row) => row.cluster },
    { heading: "WEIGHT", cell: (row) => String(row.weight), wide: true },
    { heading: "PRIORITY", cell: (row) => String(row.priority), wide: true },
    { heading: "LOCALITY", cell: (row) => row.locality || "-", wide: true },
    resource,
    source,
  ];
  const secrets: readonly Column<SecretRow>[] = [
    { heading: "NAME", cell: (row) => row.name },
    { heading: "TYPE", cell: (row) => row.type },
    { heading: "STATE", cell: (row) => (row.state === "active" ? row.state : { text: row.state, style: "yellow" }) },
    { heading: "ENDS IN", cell: (row) => (row.notAfter === "" ? "-" : renderDuration(Date.parse(row.notAfter) - now())) },
    { heading: "IDENTITY", cell: (row) => row.identity || "-" },
    { heading: "SERIAL", cell: (row) => row.serial || "-" },
    { heading: "NOT BEFORE", cell: (row) => row.notBefore || "-", wide: true },
    { heading: "NOT AFTER", cell: (row) => row.notAfter || "-", wide: true },
  ];
  return { routes, clusters, listeners, endpoints, secrets };
}

/** The first of a service's names, and how many there are besides. */
function shorten([first = "", ...rest]: readonly string[]): string {
  return rest.length === 0 ? first : `${first} +${rest.length}`;
}
