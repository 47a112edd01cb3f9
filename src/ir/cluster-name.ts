/** Istio's name of a cluster: `outbound|80|v2|users.shop.svc.cluster.local`, `inbound|8080||`. */
export interface ClusterName {
  readonly direction: "inbound" | "outbound";
  readonly port: number;
  readonly subset: string;
  readonly host: string;
}

export const BLACK_HOLE = "BlackHoleCluster";
export const PASSTHROUGH = "PassthroughCluster";
export const INBOUND_PASSTHROUGH = "InboundPassthroughCluster";

export function formatClusterName({ direction, port, subset, host }: ClusterName): string {
  return `${direction}|${port}|${subset}|${host}`;
}

/** Undefined for a name of another form (`BlackHoleCluster`, a user's own). */
export function parseClusterName(name: string): ClusterName | undefined {
  const [direction, port = "", subset, host, ...rest] = name.split("|");
  if ((direction !== "inbound" && direction !== "outbound") || subset === undefined || host === undefined || rest.length > 0)
    return undefined;
  if (!/^\d{1,5}$/.test(port)) return undefined;
  return { direction, port: Number(port), subset, host };
}
