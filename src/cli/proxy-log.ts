import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Decider } from "../admin/index.ts";
import { printable } from "../base/printable.ts";
import { MeshError } from "../model/error.ts";
import type { ProxyName } from "./find-proxy.ts";
import { type Ending, whyItEnded } from "./refusal-words.ts";
import { type Paint, renderPlace } from "./render.ts";
import { tailOf } from "./tail.ts";

/** A line of a proxy's access log (`translate/envoy/access-log.ts`). */
export interface AccessLine extends Ending {
  readonly start_time?: string;
  readonly method?: string | null;
  readonly path?: string | null;
  readonly authority?: string | null;
  readonly status?: number | null;
  readonly peer?: string | null;
  readonly request_id?: string | null;
  readonly upstream_cluster?: string | null;
  readonly upstream_host?: string | null;
  readonly downstream_remote_address?: string | null;
  readonly requested_server_name?: string | null;
}

/** Which lines a person wants to see. */
export interface LineFilter {
  /** Only what a proxy refused or could not pass on, and every answer from 400. */
  readonly failed: boolean;
  /** `403`, or `5xx` for a hundred of them. */
  readonly statuses: readonly string[];
}

const PROXY_FOLDERS = "agent/proxies";
const LOG = "envoy.log";
/** A mesh that has stopped wrote to the logs of its last workloads to the end. */
const LAST_MS = 60_000;

/** The proxies that wrote a log on this machine; `ready` are those that are there still, or were when the mesh stopped. */
export function proxiesIn(state: string): readonly ProxyName[] {
  const folder = join(state, PROXY_FOLDERS);
  const found = (existsSync(folder) ? readdirSync(folder) : []).flatMap((entry) => {
    const written = statSync(join(folder, entry, LOG), { throwIfNoEntry: false })?.mtimeMs;
    // As the agent names the folders, NAMESPACE_POD; neither name can hold a "_".
    const [namespace = "", name = ""] = entry.split("_");
    return written === undefined || name === ""
      ? []
      : [{ namespace, name, written, isThere: existsSync(join(folder, entry, "spec.json")) }];
  });
  const last = Math.max(0, ...found.map(({ written }) => written));
  const isAnyThere = found.some(({ isThere }) => isThere);
  return found.map(({ namespace, name, written, isThere }) => ({
    ...{ namespace, name },
    ready: isAnyThere ? isThere : written > last - LAST_MS,
  }));
}

export function proxyLogFile(state: string, { namespace, name }: Pick<ProxyName, "namespace" | "name">): string {
  return join(state, PROXY_FOLDERS, `${namespace}_${name}`, LOG);
}

/** What is kept of a proxy's log: its agent cuts one that grows, and keeps the part before as `FILE.1`. `end` is how far the file was read. */
export function readKeptLog(file: string, lines: number): { readonly text: string; readonly end: number } {
  const before = existsSync(`${file}.1`) ? tailOf(`${file}.1`, lines).text : "";
  const { text, end } = tailOf(file, lines);
  return { text: before + text, end };
}

/** @throws MeshError `usage` for a status that is none. */
export function toLineFilter(failed: boolean, status: string | undefined): LineFilter {
  const statuses = (status ?? "").split(",").filter((one) => one !== "");
  const wrong = statuses.find((one) => !/^[1-5](\d\d|xx)$/.test(one));
  if (wrong !== undefined) throw new MeshError("usage", `"${wrong}" is not a status`, { help: "write it as 403 or 5xx, several by comma" });
  return { failed, statuses };
}

/** The access log's lines of a text that pass the filter, in order; what else Envoy wrote is left out. */
export function readAccessLines(text: string, filter: LineFilter): readonly AccessLine[] {
  return text.split("\n").flatMap((line) => {
    const read = parse(line);
    return read !== undefined && passes(read, filter) ? [read] : [];
  });
}

function parse(line: string): AccessLine | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as AccessLine;
  } catch {
    return undefined;
  }
}

function passes(line: AccessLine, { failed, statuses }: LineFilter): boolean {
  const status = String(line.status ?? 0);
  if (statuses.length > 0 && !statuses.some((one) => one === status || (one.endsWith("xx") && one[0] === status[0] && status.length === 3)))
    return false;
  return !failed || (line.status ?? 0) >= 400 || whyItEnded(line) !== "";
}

/** `TIME STATUS METHOD URL CALLER → WORKLOAD: WHY (FILE:LINE) REQUEST-ID` for people. */
export function renderAccessLine(line: AccessLine, deciders: readonly Decider[], workload: string, paint: Paint, cwd: string): string {
  const status = line.status ?? 0;
  const why = whyItEnded(line);
  const places = deciders.map(({ resource, source }) => (source === "" ? resource : `${renderPlace(source, cwd)} ${resource}`));
  const cause = [why, places.length === 0 ? "" : `(${places.join(", ")})`].filter((text) => text !== "").join(" ");
  const url = line.method ? `${line.method} ${line.authority ?? ""}${line.path ?? ""}` : `TCP ${line.requested_server_name ?? ""}`.trim();
  const isFailure = status >= 400 || why !== "";
  return [
    line.start_time ?? "-",
    paint(status === 0 ? "-" : String(status), isFailure ? "red" : "green"),
    printable(url),
    `${printable(callerOf(line))} → ${targetOf(line, workload)}`,
    ...(cause === "" ? [] : [`: ${printable(cause)}`]),
    ...(line.request_id ? [`id ${printable(line.request_id)}`] : []),
  ]
    .join(" ")
    .replace(" : ", ": ")
    .concat("\n");
}

/** Who proved to be the caller, else where the connection came from: a client, or the workload's own application. */
function callerOf({ peer, downstream_remote_address: address }: AccessLine): string {
  return peer || address?.replace(/:\d+$/, "") || "unknown";
}

function targetOf({ upstream_cluster: cluster, upstream_host: host }: AccessLine, workload: string): string {
  const [direction, port = "", , name = ""] = (cluster ?? "").split("|");
  if (direction === "outbound") return `${name}:${port}${host ? ` (${host})` : ""}`;
  return port === "" ? workload : `${workload}:${port}`;
}
