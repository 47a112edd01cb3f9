import { captureOf, staysInPod, wayOut } from "./capture.ts";
import { connectTo, connectToWorkload, siteOf } from "./connect.ts";
import type { Connection } from "./connection.ts";
import type { MeshView, WorkloadRef } from "./decision.ts";
import { bindsPort } from "./listener.ts";
import { reach } from "./reach.ts";
import { receive } from "./receive.ts";
import { type Branch, ends, guarded, step, type Trail } from "./trail.ts";
import { Undecidable } from "./undecidable.ts";

/** A connection that an application opens, from its pod on: what the pod's rules lead past the proxy is under no policy of it. */
export function leavePod(view: MeshView, workload: WorkloadRef, connection: Connection, start: Trail, nowMs: number): readonly Branch[] {
  const found = view.proxyOf(workload);
  const { source, destination } = connection;
  const throughProxy = (proxy: NonNullable<typeof found>) =>
    receive(siteOf(view, workload, proxy, nowMs), connection, "outbound", { ...start, via: [workload] });
  // Without capture the application itself connects to the proxy's ports.
  if (found?.proxy.capture === "none") return throughProxy(found);
  const isOwn = staysInPod(view, workload, connection);
  const way = wayOut(captureOf(found?.proxy), { protocol: "tcp", by: "application", source, destination, isOwn });
  const said = (detail: string) => step(start, { workload }, "capture", { detail: `${destination.address}:${destination.port} ${detail}` });
  if (way === "away" || found === undefined) {
    if (way === "nowhere") return ends(said("can't be reached from a pod without a proxy"), { kind: "refused", because: [] });
    return way === "own port" ? reach(view, workload, connection, said(OWN)) : connectTo(view, connection, start, nowMs);
  }
  if (way === "outbound") return throughProxy(found);
  if (way === "nowhere")
    return ends(said("can't be reached: only the proxy's own connections leave a gateway"), { kind: "refused", because: [] });
  if (found.proxy.type === "router") return connectToWorkload(view, workload, connection, start, nowMs);
  return guarded(start, () => {
    if (bindsPort(found.snapshot, destination.port)) throw new Undecidable(`port ${destination.port} of the caller's own proxy`);
    return reach(view, workload, connection, said(OWN));
  });
}

const OWN = "is the pod's own: it is not captured, no proxy has a say";
