import { didYouMean } from "../base/did-you-mean.ts";
import { MeshError } from "../model/error.ts";
import { type Kind, kinds } from "../schema/kinds.ts";
import { apiPath, preferredVersion } from "./api-path.ts";
import { type Client, connectClient } from "./client.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { type ApiResource, columnsOf } from "./kind-columns.ts";
import { isData, OUTPUT_OPTION, writeData, writeTable } from "./output.ts";
import { readResourceArgs, type Wanted } from "./resource-args.ts";

interface ApiList {
  readonly items: readonly ApiResource[];
}

/** What was found of one kind. */
interface Found {
  readonly wanted: Wanted;
  readonly items: readonly ApiResource[];
}

export const get = defineCommand({
  name: "get",
  summary: "Show resources, as the mesh reads them",
  arguments: [
    {
      name: "resource",
      help: "TYPE[,TYPE] [NAME...] or TYPE/NAME...; without one, the kinds and how many there are",
      names: "resource",
      optional: true,
      variadic: true,
    },
  ],
  options: {
    output: OUTPUT_OPTION,
    allNamespaces: { type: "boolean", short: "A", help: "of every namespace" },
    selector: { type: "string", short: "l", value: "LABELS", help: "only what has these labels: app=users,tier!=db" },
  },
  examples: ["kumiko get pods -A", "kumiko get vs reviews -n shop -o yaml", "kumiko get vs,dr -n shop -o wide"],
  async run({ args, options, io }) {
    const wanted = args.length === 0 ? [] : readResourceArgs(args);
    const client = connectClient(options, io);
    if (args.length === 0) return listKinds(client, io);
    const namespace = options.allNamespaces ? undefined : (options.namespace ?? "default");
    const found = await Promise.all(
      wanted.map(async (one) => ({ wanted: one, items: await fetchItems(client, one, namespace, options.selector) })),
    );
    await write(found, options.output, options.allNamespaces, io);
    if (found.every(({ items }) => items.length === 0) && !isData(options.output)) {
      const where = namespace === undefined ? "any namespace" : `namespace ${namespace}`;
      const hint = namespace === undefined ? "" : await whichNamespaces(client, wanted, namespace);
      io.stderr.write(`no ${wanted.map((one) => one.kind.plural).join(", ")} in ${where}${hint}\n`);
    }
    return EXIT.done;
  },
});

async function whichNamespaces(client: Client, wanted: readonly Wanted[], namespace: string): Promise<string> {
  const lists = await Promise.all(wanted.map(({ kind }) => client.get<ApiList>(apiPath(kind, preferredVersion(kind), undefined))));
  const namespaces = [...new Set(lists.flatMap(({ items }) => items.map((item) => item.metadata.namespace ?? "")))].filter(
    (one) => one !== "",
  );
  if (namespaces.length === 0) return " (-A shows all)";
  const meant = didYouMean(namespace, namespaces);
  if (meant !== undefined && meant !== namespace) return ` (did you mean -n ${meant}?)`;
  return ` (there are some in ${namespaces.toSorted().slice(0, 5).join(", ")}${namespaces.length > 5 ? ", …" : ""}; -A shows all)`;
}

async function fetchItems(
  client: Client,
  { kind, names }: Wanted,
  namespace: string | undefined,
  selector: string | undefined,
): Promise<readonly ApiResource[]> {
  const version = preferredVersion(kind);
  if (names.length > 0) return Promise.all(names.map((name) => fetchOne(client, kind, name, namespace)));
  const query = selector === undefined ? "" : `?labelSelector=${encodeURIComponent(selector)}`;
  return (await client.get<ApiList>(apiPath(kind, version, namespace) + query)).items;
}

/** Without a namespace, where `default` has none of the name, it is said where one is: other commands look there by themselves. */
async function fetchOne(client: Client, kind: Kind, name: string, namespace = "default"): Promise<ApiResource> {
  const version = preferredVersion(kind);
  try {
    return await client.get<ApiResource>(apiPath(kind, version, namespace, name));
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== "not-found") throw error;
    const { items } = await client.get<ApiList>(apiPath(kind, version, undefined));
    const help = whereElse(kind, name, namespace, items);
    throw new MeshError("not-found", error.message, { ...(help !== undefined && { help }), cause: error.cause });
  }
}

/** What was meant by a name that isn't in its namespace: the same name in another one, else a name or a namespace that is near. */
function whereElse(kind: Kind, name: string, namespace: string, items: readonly ApiResource[]): string | undefined {
  const command = (found: string, within: string | undefined) =>
    `kumiko get ${kind.singular} ${found}${within === undefined ? "" : ` -n ${within}`}`;
  const others = items.filter((item) => item.metadata.name === name).map((item) => item.metadata.namespace ?? "");
  const [other] = others;
  if (other !== undefined)
    return `${command(name, didYouMean(namespace, others) ?? other)}   (it is in ${others.length === 1 ? `namespace ${other}` : others.toSorted().join(", ")})`;
  const within = items.filter((item) => !kind.namespaced || item.metadata.namespace === namespace);
  const near = didYouMean(
    name,
    (within.length > 0 ? within : items).map((item) => item.metadata.name),
  );
  if (near === undefined) return undefined;
  const place = items.find((item) => item.metadata.name === near)?.metadata.namespace;
  return `${command(near, within.length > 0 && namespace === "default" ? undefined : within.length > 0 ? namespace : place)}   (did you mean "${near}"?)`;
}

async function write(found: readonly Found[], format: string | undefined, allNamespaces: boolean, io: Io): Promise<void> {
  const items = found.flatMap((one) => one.items);
  if (isData(format)) {
    const only = found.length === 1 && found[0]?.wanted.names.length === 1 ? items[0] : undefined;
    await writeData(io, format, only ?? { apiVersion: "v1", kind: "List", items });
    return;
  }
  if (format === "name") {
    for (const { wanted, items: named } of found) {
      const type = `${wanted.kind.singular}${wanted.kind.group === "" ? "" : `.${wanted.kind.group}`}`;
      for (const { metadata } of named) io.stdout.write(`${type}/${metadata.name}\n`);
    }
    return;
  }
  const tables = found.filter((one) => one.items.length > 0);
  for (const [i, { wanted, items: rows }] of tables.entries()) {
    if (i > 0) io.stdout.write("\n");
    const prefixed =
      tables.length === 1
        ? rows
        : rows.map((row) => ({ ...row, metadata: { ...row.metadata, name: `${wanted.kind.singular}/${row.metadata.name}` } }));
    const columns = columnsOf(wanted.kind.kind, { namespace: allNamespaces && wanted.kind.namespaced, now: io.now(), cwd: io.cwd });
    writeTable(io, columns, prefixed, format === "wide");
  }
}

async function listKinds(client: Client, io: Io): Promise<number> {
  const counts = await Promise.all(
    kinds.map(async (kind) => (await client.get<ApiList>(apiPath(kind, preferredVersion(kind), undefined))).items.length),
  );
  const rows = kinds.map((kind, i) => ({ kind, count: counts[i] ?? 0 }));
  writeTable(
    io,
    [
      { heading: "KIND", cell: ({ kind }) => kind.kind },
      { heading: "TYPE", cell: ({ kind }) => [kind.plural, ...kind.shortNames].join(", ") },
      { heading: "GROUP", cell: ({ kind }) => kind.group },
      { heading: "COUNT", cell: ({ count }) => String(count) },
    ],
    rows,
    false,
  );
  return EXIT.done;
}
