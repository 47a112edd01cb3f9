import { formatPath } from "../../model/position.ts";
import type { ServiceEntryBody, WorkloadEntryBody } from "../bodies.ts";
import type { Honoured } from "../honoured.ts";
import { isCidr, isHostPattern, isIp, isPort } from "../names.ts";
import { type Report, wrong } from "../report.ts";
import type { KindRules } from "../rules.ts";
import { checkAddress, checkExportTo, checkLabels, checkPortMap } from "./common.ts";

type Spec = ServiceEntryBody["spec"];

const endpoint = { address: true, labels: true, locality: true, network: true, ports: true, serviceAccount: true, weight: true } as const;

const honoured: Honoured<ServiceEntryBody> = {
  spec: {
    addresses: true,
    endpoints: endpoint,
    exportTo: true,
    hosts: true,
    location: true,
    ports: { name: true, number: true, protocol: true, targetPort: true },
    resolution: true,
    subjectAltNames: true,
    workloadSelector: true,
  },
  status: true,
};

function check({ spec }: ServiceEntryBody, report: Report): void {
  checkHosts(spec, report);
  checkExportTo(spec.exportTo, ["spec", "exportTo"], report);
  checkPorts(spec, report);
  for (const [i, address] of (spec.addresses ?? []).entries()) {
    if (!isCidr(address))
      wrong(report, ["spec", "addresses", i], `${formatPath(["spec", "addresses", i])} is no address or range of addresses`);
  }
  checkLabels(spec.workloadSelector?.labels, ["spec", "workloadSelector", "labels"], report);
  const endpoints = spec.endpoints ?? [];
  if (endpoints.length > 0 && spec.workloadSelector !== undefined)
    wrong(report, ["spec", "workloadSelector"], "a ServiceEntry has endpoints or a workloadSelector, not both");
  for (const [i, { address, ports, labels }] of endpoints.entries()) {
    const path = ["spec", "endpoints", i];
    checkAddress(address, [...path, "address"], report);
    checkPortMap(ports, [...path, "ports"], report);
    checkLabels(labels, [...path, "labels"], report);
    if (spec.resolution === "STATIC" && address !== undefined && !isIp(address) && !address.startsWith("unix://")) {
      wrong(
        report,
        [...path, "address"],
        "with resolution STATIC an endpoint's address is a number",
        "set resolution to DNS, or write the address",
      );
    }
  }
}

function checkHosts({ hosts, resolution = "NONE", endpoints = [] }: Spec, report: Report): void {
  if (hosts.length === 0) wrong(report, ["spec", "hosts"], "the ServiceEntry has no hosts");
  for (const [i, host] of hosts.entries()) {
    const path = ["spec", "hosts", i];
    if (host === "*") wrong(report, path, 'a ServiceEntry can\'t claim host "*"', "name the hosts that it opens");
    else if (!isHostPattern(host)) wrong(report, path, `${formatPath(path)} is no host name`);
    else if (host.startsWith("*.") && (resolution === "DNS" || resolution === "DNS_ROUND_ROBIN") && endpoints.length === 0) {
      wrong(report, path, `${host} can't be looked up in DNS: it is a wildcard`, "name the hosts, or give endpoints");
    }
  }
}

function checkPorts({ ports = [] }: Spec, report: Report): void {
  const numbers = new Set<number>();
  const names = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const path = ["spec", "ports", i];
    if (!isPort(port.number)) wrong(report, [...path, "number"], `${port.number} is no port`);
    if (port.targetPort !== undefined && !isPort(port.targetPort)) wrong(report, [...path, "targetPort"], `${port.targetPort} is no port`);
    if (numbers.has(port.number)) wrong(report, [...path, "number"], `port ${port.number} is declared twice`);
    if (names.has(port.name)) wrong(report, [...path, "name"], `port name ${JSON.stringify(port.name)} is declared twice`);
    numbers.add(port.number);
    names.add(port.name);
  }
}

export const serviceEntry = { honoured, check } satisfies KindRules;

const honouredEntry: Honoured<WorkloadEntryBody> = { spec: endpoint, status: true };

function checkEntry({ spec }: WorkloadEntryBody, report: Report): void {
  if ((spec.address ?? "") === "" && (spec.network ?? "") === "") wrong(report, ["spec", "address"], "a WorkloadEntry needs an address");
  checkAddress(spec.address, ["spec", "address"], report);
  checkPortMap(spec.ports, ["spec", "ports"], report);
  checkLabels(spec.labels, ["spec", "labels"], report);
}

export const workloadEntry = { honoured: honouredEntry, check: checkEntry } satisfies KindRules;
