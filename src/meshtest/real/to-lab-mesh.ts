import { isIp } from "../../base/cidr.ts";
import type { Request, Target } from "../../evaluate/index.ts";
import type { Proxy } from "../../model/proxy.ts";
import type { Snapshot } from "../../translate/index.ts";
import { serverFirst } from "../server-first.ts";
import type { TestMesh } from "../test-mesh.ts";
import type { TestWorkload } from "../workloads.ts";
import type { TestAuthorities } from "./authorities.ts";
import type { EchoPort } from "./exchange.ts";
import type { LabMesh, LabPod } from "./lab.ts";
import { toSentSnapshot } from "./sent-snapshot.ts";
import { type OutsidePort, touchedBy } from "./touched.ts";

/** The part of a mesh that these requests can touch, as it is to run on real proxies. */
export function toLabMesh(mesh: TestMesh, requests: readonly Request[], authorities: TestAuthorities): LabMesh {
  const touched = touchedBy(requests, mesh);
  const workloads = mesh.workloads.filter(({ namespace, name }) => touched.workloads.has(`${namespace}/${name}`));
  const clients = requests
    .filter(({ from }) => from.kind !== "workload")
    .map(({ sourceAddress }) => sourceAddress)
    .filter((address) => !address.includes(":"));
  return {
    trustDomain: mesh.mesh.settings.trustDomain,
    pods: workloads.map((workload) => toPod(workload, mesh, authorities)),
    outside: outsidePorts(touched.outside, mesh, authorities),
    names: Object.fromEntries(touched.outside.filter(({ host }) => !isIp(host)).map(({ host }) => [host, mesh.addresses.outside(host)])),
    clients: [...new Set(clients)],
    clientRootPem: authorities.clientRootPem,
    snapshotFor: snapshotsOf(mesh, authorities.serverRootPem),
  };
}

function snapshotsOf(mesh: TestMesh, rootPem: string): (proxy: Proxy) => Snapshot {
  const known = new Map<string, Snapshot>();
  return ({ namespace, name }) => {
    const key = `${namespace}/${name}`;
    const sent = known.get(key) ?? toSentSnapshot(mesh.proxyOf({ namespace, name })?.snapshot ?? new Map(), rootPem);
    known.set(key, sent);
    return sent;
  };
}

function toPod(workload: TestWorkload, mesh: TestMesh, authorities: TestAuthorities): LabPod {
  const { namespace, name, address, role, serviceAccount } = workload;
  const proxy = mesh.proxyOf(workload)?.proxy;
  return {
    workload: { namespace, name },
    address,
    role,
    serviceAccount,
    ...(proxy !== undefined && { proxy }),
    // A gateway's ports are its proxy's.
    ports: role === "gateway" ? [] : portsOf(workload, mesh, authorities),
  };
}

function portsOf(workload: TestWorkload, mesh: TestMesh, authorities: TestAuthorities): readonly EchoPort[] {
  const { namespace, name } = workload;
  return [...new Set(workload.ports.map(({ port }) => port))].map((port) => {
    const speaker = serverFirst(workload, port, mesh);
    return {
      port,
      as: `${namespace}/${name}`,
      ...tlsOf({ namespace, name }, port, mesh, authorities),
      ...(speaker !== undefined && { greeting: `${speaker} of ${namespace}/${name}\n` }),
    };
  });
}

/** A name that a proxy looks up and the address that it stands for are one place. */
function outsidePorts(ports: readonly OutsidePort[], mesh: TestMesh, authorities: TestAuthorities): readonly EchoPort[] {
  const made = new Map<string, EchoPort>();
  for (const { address, port, host } of ports) {
    const literal = isIp(address) ? address : mesh.addresses.outside(address);
    made.set(`${literal} ${port}`, {
      address: literal,
      port,
      as: `external:${host}`,
      ...tlsOf({ external: host }, port, mesh, authorities),
    });
  }
  return [...made.values()];
}

function tlsOf(target: Target, port: number, mesh: TestMesh, authorities: TestAuthorities): Pick<EchoPort, "tls"> {
  const tls = mesh.tlsOf(target, port);
  return tls === undefined ? {} : { tls: authorities.server(tls.names) };
}
