import { stableHash } from "../base/index.ts";
import type { ServiceEntryBody } from "../schema/bodies.ts";
import type { DeclaredResource } from "./resources.ts";

/** One place outside of the mesh that ServiceEntries open: where the sidecars connect to, and what is dialled on the host for it. */
export interface OutsideHost {
  /** Name as the sidecars ask for it; empty for a literal address. */
  readonly host: string;
  /** Where the machine listens for it: a relay address, or the literal one. */
  readonly address: string;
  readonly ports: readonly number[];
}

const LITERAL = /^\d{1,3}(\.\d{1,3}){3}$/;

/**
 * Every outside host and literal address that ServiceEntries open, each with its ports. Relay addresses follow from the name alone (the next
 * free one where two names meet), so that they are the same after a restart. `place` holds the first two octets, or gives the address.
 */
export function toOutsideTable(resources: readonly DeclaredResource[], place: string | ((host: string) => string)): readonly OutsideHost[] {
  const opened = new Map<string, Set<number>>();
  for (const resource of resources) {
    if (resource.kind === "ServiceEntry") collect(resource.body as ServiceEntryBody, opened);
  }
  const taken = new Set<string>();
  const table: OutsideHost[] = [];
  for (const [name, ports] of [...opened].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const isLiteral = LITERAL.test(name);
    const address = isLiteral ? name : typeof place === "string" ? toRelayAddress(name, place, taken) : place(name);
    table.push({ host: isLiteral ? "" : name, address, ports: [...ports].toSorted((a, b) => a - b) });
  }
  return table;
}

function collect({ spec }: ServiceEntryBody, opened: Map<string, Set<number>>): void {
  if (spec?.workloadSelector !== undefined) return;
  const endpoints = spec?.endpoints ?? [];
  for (const port of spec?.ports ?? []) {
    const target = port.targetPort ?? port.number;
    for (const endpoint of endpoints) open(endpoint.address, endpoint.ports?.[port.name] ?? target, opened);
    if (endpoints.length > 0 || spec?.resolution === "STATIC") continue;
    for (const host of spec?.hosts ?? []) open(host, target, opened);
    // Without resolution the client's own address is dialled: only literal ones can be opened one by one.
    if (spec?.resolution === undefined || spec.resolution === "NONE") {
      for (const address of spec?.addresses ?? []) open(address.replace(/\/32$/, ""), port.number, opened);
    }
  }
}

function open(name: string | undefined, port: number, opened: Map<string, Set<number>>): void {
  if (name === undefined || name.includes("*") || name.includes("/") || isOwnAddress(name)) return;
  const host = name.toLowerCase();
  const ports = opened.get(host);
  if (ports === undefined) opened.set(host, new Set([port]));
  else ports.add(port);
}

/** Pods and loopback are no outside: an entry for them must not shadow the mesh's own network. */
function isOwnAddress(name: string): boolean {
  return /^(127|0)\.|^10\.24[45]\./.test(name);
}

function toRelayAddress(host: string, range: string, taken: Set<string>): string {
  let number = Number.parseInt(stableHash(host).slice(0, 4), 16);
  for (;;) {
    const address = `${range}.${1 + (Math.floor(number / 254) % 254)}.${1 + (number % 254)}`;
    if (!taken.has(address)) {
      taken.add(address);
      return address;
    }
    number++;
  }
}

/** Where the host process connects for an opened host or literal address; `hosts` is the map of `kumiko.yaml`. Undefined: not opened. */
export function findRealAddress(
  table: readonly OutsideHost[],
  hosts: Readonly<Record<string, string>>,
  asked: { readonly host: string; readonly port: number },
): { readonly host: string; readonly port: number } | undefined {
  const entry = table.find(({ host, address }) => asked.host === (host === "" ? address : host));
  if (entry === undefined || !entry.ports.includes(asked.port)) return undefined;
  const mapped = hosts[`${asked.host}:${asked.port}`] ?? hosts[asked.host];
  if (mapped === undefined) return asked;
  const [host = "", port] = mapped.split(":");
  return { host, port: port === undefined ? asked.port : Number(port) };
}
