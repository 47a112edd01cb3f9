import type { MeshStatus, ProxyStatus } from "../admin/backend.ts";
import type { ProgramStatus } from "../model/program-status.ts";
import { type Diagnostic, summariseNotes } from "../model/diagnostic.ts";
import { connectClient } from "./client.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { type Column, DATA_OPTION, isData, writeData, writeTable } from "./output.ts";
import { type Cell, painter, renderAge, renderDiagnostic, renderDuration } from "./render.ts";

export interface StatusBody extends MeshStatus {
  readonly proxies: readonly ProxyStatus[];
  readonly diagnostics: { readonly errors: number; readonly warnings: number };
}

/** More than this many would push the workloads off the screen; `-o wide` has all, and the notes. */
const DIAGNOSTICS_SHOWN = 10;

export const status = defineCommand({
  name: "status",
  summary: "Show what runs: control plane, authority, and each workload's proxy",
  options: { output: DATA_OPTION },
  examples: ["kumiko status", "kumiko status -o wide", "kumiko status -o json"],
  async run({ options, io }) {
    const client = connectClient(options, io);
    const [body, { items: diagnostics }] = await Promise.all([
      client.get<StatusBody>("/kumiko/v1/status"),
      client.get<{ readonly items: readonly Diagnostic[] }>("/kumiko/v1/diagnostics"),
    ]);
    const proxies = body.proxies.filter((proxy) => options.namespace === undefined || proxy.namespace === options.namespace);
    if (isData(options.output)) await writeData(io, options.output, { ...body, proxies, diagnostics });
    else writeText(body, proxies, diagnostics, options.output === "wide", io);
    const isWell =
      proxies.every((proxy) => (proxy.ready || proxy.stopping) && proxy.config.kind !== "refused") &&
      body.host.programs.every(({ ready }) => ready);
    return isWell ? EXIT.done : EXIT.failed;
  },
});

function writeText(body: StatusBody, proxies: readonly ProxyStatus[], diagnostics: readonly Diagnostic[], wide: boolean, io: Io): void {
  const paint = painter(io.stdout, io.environment);
  const line = (name: string, text: string) => io.stdout.write(`${paint(name.padEnd(15), "bold")}${text}\n`);
  line("control plane", `kumiko ${body.version}, up ${renderAge(body.startedAt, io.now())}, profile ${body.profile}, ${body.root}`);
  const authority = body.authority.kind === "development" ? paint("development root (not for production)", "yellow") : "external root";
  line("authority", `${authority}, ${renderEnd(body.authority.notAfter, io.now())}, trust domain ${body.trustDomain}`);
  line("resources", `${body.resources}, ${counted(body.diagnostics.errors, "error")}, ${counted(body.diagnostics.warnings, "warning")}`);
  for (const said of body.host.weaker) line("weaker", paint(said, "yellow"));
  for (const { name, weaker } of body.host.programs) for (const said of weaker) line("weaker", paint(`${name}: ${said}`, "yellow"));
  io.stdout.write("\n");
  if (proxies.length === 0) io.stdout.write("no workload with a proxy yet\n");
  else writeTable(io, columns(io.now()), proxies.toSorted(byName), wide);
  if (body.host.programs.length > 0) {
    io.stdout.write("\n");
    writeTable(io, PROGRAM_COLUMNS, body.host.programs, wide);
  }
  if (diagnostics.length > 0) io.stdout.write("\n");
  const problems = wide ? diagnostics : diagnostics.filter(({ severity }) => severity !== "info");
  const shown = problems.toSorted(bySeverity).slice(0, wide ? undefined : DIAGNOSTICS_SHOWN);
  for (const diagnostic of shown) io.stdout.write(renderDiagnostic(diagnostic, paint, io.cwd, io.environment.program));
  if (problems.length > shown.length)
    io.stdout.write(`… and ${problems.length - shown.length} more: ${io.environment.program} status -o wide\n`);
  const notes = wide ? "" : summariseNotes(diagnostics, `${io.environment.program} status -o wide`);
  if (notes !== "") io.stdout.write(`${notes}\n`);
}

function columns(now: number): readonly Column<ProxyStatus>[] {
  return [
    { heading: "NAMESPACE", cell: (proxy) => proxy.namespace },
    { heading: "WORKLOAD", cell: (proxy) => proxy.name },
    { heading: "READY", cell: renderReady },
    { heading: "PROXY", cell: (proxy) => proxy.version || "-" },
    { heading: "CONFIG", cell: (proxy) => renderConfig(proxy, now) },
    { heading: "CERTIFICATE", cell: (proxy) => renderCertificate(proxy, now) },
    { heading: "IDENTITY", cell: (proxy) => proxy.identity || "-" },
    { heading: "TYPE", cell: (proxy) => proxy.type, wide: true },
    { heading: "NOTE", cell: renderNote },
  ];
}

const PROGRAM_COLUMNS: readonly Column<ProgramStatus>[] = [
  { heading: "OUTSIDE PROGRAM", cell: ({ name }) => name },
  { heading: "READY", cell: renderReady },
  { heading: "RESTARTS", cell: ({ restarts }) => String(restarts) },
  { heading: "NOTE", cell: ({ message }) => message },
];

function renderReady({ ready }: { readonly ready: boolean }): Cell {
  return ready ? { text: "yes", style: "green" } : { text: "no", style: "red" };
}

function renderNote({ config, note, restarts }: ProxyStatus): Cell {
  const times = restarts === 0 ? [] : [counted(restarts, "restart")];
  return [...times, config.kind === "refused" ? config.message : note].filter((part) => part !== "").join("; ");
}

function renderConfig({ config }: ProxyStatus, now: number): Cell {
  switch (config.kind) {
    case "acknowledged":
      return { text: `acknowledged ${renderAge(config.at, now)} ago`, style: "green" };
    case "refused":
      return { text: `NACK ${config.type}`, style: "red" };
    case "stale":
    case "pending":
      return { text: config.kind, style: "yellow" };
    case "disconnected":
      return { text: config.kind, style: "red" };
    case "none":
      return "-";
  }
}

function renderCertificate({ certificate, type }: ProxyStatus, now: number): Cell {
  if (type === "none") return "-";
  if (certificate === undefined) return { text: "none", style: "red" };
  const text = renderEnd(certificate.notAfter, now);
  return Date.parse(certificate.notAfter) > now ? text : { text, style: "red" };
}

function renderEnd(time: string, now: number): string {
  const left = Date.parse(time) - now;
  if (Number.isNaN(left)) return "end unknown";
  return left > 0 ? `ends in ${renderDuration(left)}` : `ended ${renderDuration(-left)} ago`;
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

function byName(one: ProxyStatus, other: ProxyStatus): number {
  return one.namespace.localeCompare(other.namespace, "en") || one.name.localeCompare(other.name, "en");
}

const RANK = { error: 0, warning: 1, info: 2 } as const;

function bySeverity(one: Diagnostic, other: Diagnostic): number {
  return RANK[one.severity] - RANK[other.severity];
}
