import { isRecord } from "../schema/shape.ts";
import type { TestMesh } from "./test-mesh.ts";
import type { TestWorkload } from "./workloads.ts";

/** Protocols in which the server speaks first. */
const SERVER_FIRST = /^(mysql|postgres|postgresql|mongo)(-|$)/i;

/** The protocol in which the server on a workload's port speaks first; undefined where it waits for its client. */
export function serverFirst(workload: TestWorkload, port: number, mesh: TestMesh): string | undefined {
  const own = workload.ports.filter((known) => known.port === port).map(({ name }) => name);
  const served = mesh.servedBy(workload, port).flatMap((each) => {
    const { name, protocol, number } = each.port;
    return [name, protocol, appProtocolOf(mesh.mesh.find(each.service.origin.ref)?.body, number)];
  });
  return [...own, ...served].map((name) => SERVER_FIRST.exec(name)?.[1]?.toLowerCase()).find((name) => name !== undefined);
}

/** As declared: the mesh keeps only what a proxy makes a difference of. */
function appProtocolOf(body: unknown, number: number): string {
  const spec = isRecord(body) && isRecord(body["spec"]) ? body["spec"] : {};
  const ports: readonly unknown[] = Array.isArray(spec["ports"]) ? spec["ports"] : [];
  const found = ports.filter(isRecord).find(({ port }) => port === number);
  return typeof found?.["appProtocol"] === "string" ? found["appProtocol"] : "";
}
