import { formatPath } from "../../model/position.ts";
import type { EndpointSliceBody, SecretBody, ServiceBody } from "../bodies.ts";
import type { HonouredSome } from "../honoured.ts";
import { isIp, isPort } from "../names.ts";
import { type Report, wrong } from "../report.ts";
import type { KindRules } from "../rules.ts";

const honouredService: HonouredSome<ServiceBody> = {
  spec: {
    clusterIP: true,
    clusterIPs: true,
    externalName: true,
    loadBalancerSourceRanges: "every address may connect",
    ports: { appProtocol: true, name: true, port: true, protocol: true, targetPort: true },
    publishNotReadyAddresses: true,
    selector: true,
    type: true,
  },
  status: true,
};

function checkService({ spec = {} }: ServiceBody, report: Report): void {
  const ports = spec.ports ?? [];
  if (spec.type === "ExternalName" && (spec.externalName ?? "") === "")
    wrong(report, ["spec", "externalName"], "a Service of type ExternalName needs externalName");
  if (ports.length === 0 && spec.type !== "ExternalName" && spec.clusterIP !== "None")
    wrong(report, ["spec", "ports"], "the Service has no ports");
  if (spec.clusterIP !== undefined && !["", "None"].includes(spec.clusterIP) && !isIp(spec.clusterIP))
    wrong(report, ["spec", "clusterIP"], "clusterIP is no address");
  const names = new Set<string>();
  for (const [i, { name = "", port, targetPort, protocol = "TCP" }] of ports.entries()) {
    const path = ["spec", "ports", i];
    if (!isPort(port)) wrong(report, [...path, "port"], `${port} is no port`);
    if (typeof targetPort === "number" && !isPort(targetPort)) wrong(report, [...path, "targetPort"], `${targetPort} is no port`);
    if (!["TCP", "UDP", "SCTP"].includes(protocol))
      wrong(report, [...path, "protocol"], `${formatPath([...path, "protocol"])} is none of TCP, UDP, SCTP`);
    if (ports.length > 1 && name === "") wrong(report, [...path, "name"], "of several ports each needs a name");
    if (names.has(name)) wrong(report, [...path, "name"], `port name ${JSON.stringify(name)} is used twice`);
    names.add(name);
  }
}

export const service = { honoured: honouredService, check: checkService } satisfies KindRules;

function checkEndpointSlice({ addressType, endpoints = [], ports = [] }: EndpointSliceBody, report: Report): void {
  for (const [i, { addresses }] of endpoints.entries()) {
    for (const [j, address] of addresses.entries()) {
      const isRight = addressType === "FQDN" || (isIp(address) && address.includes(":") === (addressType === "IPv6"));
      if (!isRight)
        wrong(report, ["endpoints", i, "addresses", j], `${formatPath(["endpoints", i, "addresses", j])} is no ${addressType} address`);
    }
  }
  for (const [i, { port }] of ports.entries())
    if (port !== undefined && !isPort(port)) wrong(report, ["ports", i, "port"], `${port} is no port`);
}

const honouredSlice: HonouredSome<EndpointSliceBody> = {
  addressType: true,
  endpoints: { addresses: true, conditions: true, hostname: true, nodeName: true, targetRef: true, zone: true },
  ports: true,
};

export const endpointSlice = { honoured: honouredSlice, check: checkEndpointSlice } satisfies KindRules;

/** No value of a Secret is repeated in a message. */
function checkSecret({ data = {}, stringData = {}, type }: SecretBody, report: Report): void {
  for (const [key, value] of Object.entries(data)) {
    const text = value.replaceAll(/\s/g, "");
    if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text))
      wrong(report, ["data", key], `data.${key} is not base64`, "encode it, or move it to stringData");
  }
  if (type !== "kubernetes.io/tls") return;
  for (const key of ["tls.crt", "tls.key"])
    if (!(key in data) && !(key in stringData)) wrong(report, ["data"], `a Secret of type ${type} needs ${key}`);
}

export const secret = { honoured: true, check: checkSecret } satisfies KindRules;
