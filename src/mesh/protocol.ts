import { parseProtocol, type Protocol } from "../model/service.ts";

/** Protocols in which the server speaks first can't be told by the client's first bytes (Istio's list of well-known ports). */
const SERVER_FIRST_PORTS: ReadonlySet<number> = new Set([25, 53, 3306, 27017]);

/** `appProtocol` values of Kubernetes' own (KEP-3726) and Istio's reading of them. */
const APP_PROTOCOLS: Readonly<Record<string, Protocol>> = {
  "kubernetes.io/h2c": "http2",
  "kubernetes.io/ws": "http",
  "kubernetes.io/wss": "https",
};

interface DeclaredPort {
  readonly number: number;
  readonly name: string;
  readonly transport: string;
  readonly appProtocol: string | undefined;
}

/** The protocol of a Kubernetes port: `appProtocol`, else the name up to its first dash (`http-admin`), else left to the first bytes. */
export function protocolOf(port: DeclaredPort): Protocol {
  if (port.transport === "UDP") return "udp";
  if (port.appProtocol !== undefined) {
    const known = APP_PROTOCOLS[port.appProtocol] ?? parseProtocol(port.appProtocol);
    if (known !== undefined) return known;
  }
  const name = port.name.toLowerCase();
  if (name.startsWith("grpc-web")) return "grpc-web";
  const byName = parseProtocol(name.split("-", 1)[0] ?? "");
  if (byName !== undefined && byName !== "udp") return byName;
  return SERVER_FIRST_PORTS.has(port.number) ? "tcp" : "auto";
}
