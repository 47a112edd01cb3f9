import { formatPath, type JsonPath } from "../../model/position.ts";
import type { GatewayBody } from "../bodies.ts";
import type { Honoured } from "../honoured.ts";
import { isDnsLabel, isHostPattern, isPort } from "../names.ts";
import { type Report, wrong } from "../report.ts";
import type { KindRules } from "../rules.ts";
import { checkLabels, WITHDRAWN } from "./common.ts";

type Server = NonNullable<NonNullable<GatewayBody["spec"]>["servers"]>[number];

const PROTOCOLS = ["HTTP", "HTTPS", "GRPC", "GRPC-WEB", "HTTP2", "MONGO", "TCP", "TLS"];
const WITH_TLS = ["HTTPS", "TLS"];

const honoured: Honoured<GatewayBody> = {
  spec: {
    selector: true,
    servers: {
      bind: true,
      defaultEndpoint: false,
      hosts: true,
      name: true,
      port: { name: true, number: true, protocol: true, targetPort: false },
      tls: {
        caCertCredentialName: true,
        caCertificates: false,
        caCrl: WITHDRAWN,
        cipherSuites: true,
        credentialName: true,
        credentialNames: true,
        httpsRedirect: true,
        maxProtocolVersion: true,
        minProtocolVersion: true,
        mode: true,
        privateKey: false,
        serverCertificate: false,
        subjectAltNames: true,
        tlsCertificates: false,
        verifyCertificateHash: "every certificate of the authority is taken",
        verifyCertificateSpki: "every certificate of the authority is taken",
      },
    },
  },
  status: true,
};

function check({ spec = {} }: GatewayBody, report: Report): void {
  checkLabels(spec.selector, ["spec", "selector"], report);
  const servers = spec.servers ?? [];
  if (servers.length === 0) wrong(report, ["spec", "servers"], "the Gateway has no servers");
  for (const [i, server] of servers.entries()) checkServer(server, ["spec", "servers", i], report);
}

function checkServer(server: Server, path: JsonPath, report: Report): void {
  const { port, tls, hosts } = server;
  const protocol = port.protocol.toUpperCase();
  if (!isPort(port.number)) wrong(report, [...path, "port", "number"], `${port.number} is no port`);
  if (port.name === "") wrong(report, [...path, "port", "name"], "a server's port needs a name");
  if (!PROTOCOLS.includes(protocol))
    wrong(report, [...path, "port", "protocol"], `${formatPath([...path, "port", "protocol"])} is none of ${PROTOCOLS.join(", ")}`);
  if (hosts.length === 0) wrong(report, [...path, "hosts"], "a server needs hosts", 'write "*" for every host');
  for (const [i, host] of hosts.entries()) checkServerHost(host, [...path, "hosts", i], report);
  if (WITH_TLS.includes(protocol) && tls === undefined) wrong(report, [...path, "port", "protocol"], `a server for ${protocol} needs tls`);
  if (!WITH_TLS.includes(protocol) && tls !== undefined && tls.httpsRedirect !== true) {
    wrong(report, [...path, "tls"], `a server for ${protocol} can't have tls`, "set port.protocol to HTTPS or TLS");
  }
  if (tls !== undefined) checkTls(server, protocol, [...path, "tls"], report);
}

function checkServerHost(text: string, path: JsonPath, report: Report): void {
  const [namespace, host] = text.includes("/") ? [text.slice(0, text.indexOf("/")), text.slice(text.indexOf("/") + 1)] : ["*", text];
  if (namespace !== "*" && namespace !== "." && !isDnsLabel(namespace))
    wrong(report, path, `${formatPath(path)}: the part before / is no namespace`);
  if (host !== "*" && !isHostPattern(host)) wrong(report, path, `${formatPath(path)} is no host name`);
}

function checkTls({ tls = {} }: Server, protocol: string, path: JsonPath, report: Report): void {
  const mode = tls.mode ?? "PASSTHROUGH";
  if (!WITH_TLS.includes(protocol)) return;
  const hasCertificate = [tls.credentialName, tls.serverCertificate, tls.credentialNames, tls.tlsCertificates].some(
    (field) => field !== undefined && field.length > 0,
  );
  if (["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"].includes(mode) && !hasCertificate)
    wrong(report, path, `TLS mode ${mode} needs a certificate`, "set credentialName to the name of a Secret");
  if (protocol === "HTTPS" && mode === "PASSTHROUGH" && tls.mode !== undefined) return;
  if (tls.mode === undefined && hasCertificate)
    wrong(report, path, "tls.mode is missing: PASSTHROUGH, its default, uses no certificate", "set mode to SIMPLE or MUTUAL");
}

export const gateway = { honoured, check } satisfies KindRules;
