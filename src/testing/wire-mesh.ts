/** A Pod of namespace `shop`, by default with a sidecar; ports by name. */
export function podYaml(
  name: string,
  address: string,
  {
    labels = { app: name },
    ports = {},
    sidecar = true,
    account = name,
  }: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly ports?: Readonly<Record<string, number>>;
    readonly sidecar?: boolean;
    readonly account?: string;
  } = {},
): string {
  const containerPorts = Object.entries(ports).map(([port, containerPort]) => ({ name: port, containerPort }));
  return document({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "shop", labels, annotations: sidecar ? { "sidecar.istio.io/status": "{}" } : {} },
    spec: { serviceAccountName: account, containers: [{ name: "app", ports: containerPorts }] },
    status: { podIP: address, conditions: [{ type: "Ready", status: "True" }] },
  });
}

/** A Service of namespace `shop`: port names with their numbers, or with number and targetPort. */
export function serviceYaml(
  name: string,
  clusterIP: string,
  ports: Readonly<Record<string, number | readonly [number, number]>>,
  selector: Readonly<Record<string, string>> = { app: name },
): string {
  const list = Object.entries(ports).map(([port, given]) => {
    const [number, targetPort] = typeof given === "number" ? [given, given] : given;
    return { name: port, port: number, targetPort };
  });
  return document({ apiVersion: "v1", kind: "Service", metadata: { name, namespace: "shop" }, spec: { clusterIP, selector, ports: list } });
}

/** A resource of Istio's, in namespace `shop`. */
export function istioYaml(kind: string, name: string, spec: object, namespace = "shop"): string {
  const group = /Authentication|Authorization/.test(kind) ? "security" : "networking";
  return document({ apiVersion: `${group}.istio.io/v1`, kind, metadata: { name, namespace }, spec });
}

export function meshConfigYaml(config: object): string {
  const metadata = { name: "istio", namespace: "istio-system" };
  return document({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { mesh: JSON.stringify(config) } });
}

export function secretYaml(name: string, stringData: Readonly<Record<string, string>>): string {
  return document({ apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "shop" }, type: "kubernetes.io/tls", stringData });
}

function document(content: object): string {
  return `${JSON.stringify(content)}\n---\n`;
}
