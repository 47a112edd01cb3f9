import type { ConfigMapBody, SecretBody } from "../schema/bodies.ts";
import type { Container, DesiredPod } from "./pod.ts";

/** What the environment of a container may refer to. Secrets are decoded; the values must reach no log. */
export interface EnvSources {
  configMap(namespace: string, name: string): ConfigMapBody | undefined;
  secret(namespace: string, name: string): SecretBody | undefined;
  /** `X_SERVICE_HOST` and the like; a container's own variables win over them. */
  readonly services: Readonly<Record<string, string>>;
}

export interface ContainerEnv {
  readonly values: Readonly<Record<string, string>>;
  /** What is referred to and not there, sentence by sentence: the container can't start. */
  readonly missing: readonly string[];
}

const NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/**
 * The environment of one container, in Kubernetes' order: services, image, `envFrom` in order, `env` in order; later ones win.
 * `$(NAME)` in a value is replaced by an earlier variable and stays as it is when there is none; `$$(NAME)` gives a literal `$(NAME)`.
 */
export function toContainerEnv(
  container: Container,
  pod: DesiredPod,
  address: string,
  imageEnv: Readonly<Record<string, string>>,
  sources: EnvSources,
): ContainerEnv {
  const values: Record<string, string> = { ...sources.services, ...imageEnv };
  const missing: string[] = [];
  for (const from of container.envFrom ?? []) {
    const found = readAll(from, pod.namespace, sources, missing);
    for (const [key, value] of Object.entries(found)) if (NAME.test(key)) values[`${from.prefix ?? ""}${key}`] = value;
  }
  for (const variable of container.env ?? []) {
    const value = variable.valueFrom === undefined ? (variable.value ?? "") : readOne(variable.valueFrom, pod, address, sources, missing);
    if (value !== undefined) values[variable.name] = variable.valueFrom === undefined ? expand(value, values) : value;
  }
  return { values, missing };
}

/** `$(NAME)` by the variables, as Kubernetes does it in `env`, `command` and `args`. */
export function expand(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\$|\$\(([^()$\s]+)\)/g, (whole, name: string | undefined) => {
    if (name === undefined) return "$";
    return Object.hasOwn(values, name) ? (values[name] ?? "") : whole;
  });
}

/** Kubernetes' variables for a service: `USERS_SERVICE_HOST`, `USERS_SERVICE_PORT`, `USERS_SERVICE_PORT_HTTP`, .... */
export function serviceVariables(
  service: { readonly name: string; readonly ports: readonly { readonly name: string; readonly port: number }[] },
  addressOf: (port: number) => { readonly host: string; readonly port: number } | undefined,
): Readonly<Record<string, string>> {
  const prefix = toVariableName(service.name);
  const values: Record<string, string> = {};
  for (const { name, port } of service.ports) {
    const address = addressOf(port);
    if (address === undefined) continue;
    values[`${prefix}_SERVICE_HOST`] ??= address.host;
    values[`${prefix}_SERVICE_PORT`] ??= String(address.port);
    if (name !== "") values[`${prefix}_SERVICE_PORT_${toVariableName(name)}`] = String(address.port);
  }
  return values;
}

function toVariableName(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_");
}

/** Every key of a Secret as text: `data` from base64, `stringData` as it stands. */
export function decodeSecret(secret: SecretBody): Readonly<Record<string, Buffer>> {
  const values: Record<string, Buffer> = {};
  for (const [key, value] of Object.entries(secret.data ?? {})) values[key] = Buffer.from(value, "base64");
  for (const [key, value] of Object.entries(secret.stringData ?? {})) values[key] = Buffer.from(value, "utf8");
  return values;
}

/** Every key of a ConfigMap: `data` as text, `binaryData` from base64. */
export function decodeConfigMap(configMap: ConfigMapBody): Readonly<Record<string, Buffer>> {
  const values: Record<string, Buffer> = {};
  for (const [key, value] of Object.entries(configMap.data ?? {})) values[key] = Buffer.from(value, "utf8");
  for (const [key, value] of Object.entries(configMap.binaryData ?? {})) values[key] = Buffer.from(value, "base64");
  return values;
}

type EnvFrom = NonNullable<Container["envFrom"]>[number];
type ValueFrom = NonNullable<NonNullable<Container["env"]>[number]["valueFrom"]>;

function readAll(from: EnvFrom, namespace: string, sources: EnvSources, missing: string[]): Readonly<Record<string, string>> {
  const { configMapRef, secretRef } = from;
  const values: Record<string, string> = {};
  if (configMapRef !== undefined) {
    const found = sources.configMap(namespace, configMapRef.name ?? "");
    if (found === undefined && configMapRef.optional !== true) missing.push(`ConfigMap ${namespace}/${configMapRef.name} does not exist`);
    Object.assign(values, found?.data);
  }
  if (secretRef !== undefined) {
    const found = sources.secret(namespace, secretRef.name ?? "");
    if (found === undefined && secretRef.optional !== true) missing.push(`Secret ${namespace}/${secretRef.name} does not exist`);
    for (const [key, value] of Object.entries(found === undefined ? {} : decodeSecret(found))) values[key] = value.toString("utf8");
  }
  return values;
}

function readOne(from: ValueFrom, pod: DesiredPod, address: string, sources: EnvSources, missing: string[]): string | undefined {
  if (from.fieldRef !== undefined) {
    const value = readField(from.fieldRef.fieldPath, pod, address);
    if (value === undefined) missing.push(`field ${from.fieldRef.fieldPath} is not known`);
    return value;
  }
  const { configMapKeyRef, secretKeyRef } = from;
  if (configMapKeyRef !== undefined) {
    const value = sources.configMap(pod.namespace, configMapKeyRef.name ?? "")?.data?.[configMapKeyRef.key];
    if (value === undefined && configMapKeyRef.optional !== true) {
      missing.push(`ConfigMap ${pod.namespace}/${configMapKeyRef.name} has no key ${configMapKeyRef.key}`);
    }
    return value;
  }
  if (secretKeyRef !== undefined) {
    const secret = sources.secret(pod.namespace, secretKeyRef.name ?? "");
    const value = secret === undefined ? undefined : decodeSecret(secret)[secretKeyRef.key];
    if (value === undefined && secretKeyRef.optional !== true) {
      missing.push(`Secret ${pod.namespace}/${secretKeyRef.name} has no key ${secretKeyRef.key}`);
    }
    return value?.toString("utf8");
  }
  missing.push(`valueFrom ${Object.keys(from).join(", ")} is not supported`);
  return undefined;
}

/** A field of the Pod by its path; undefined for one that isn't known here. */
export function readField(path: string, pod: DesiredPod, address: string): string | undefined {
  const indexed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (indexed !== null) return pod[indexed[1] as "labels" | "annotations"][indexed[2] ?? ""] ?? "";
  const fields: Readonly<Record<string, string>> = {
    "metadata.name": pod.name,
    "metadata.namespace": pod.namespace,
    "spec.serviceAccountName": pod.serviceAccount,
    "status.podIP": address,
    "status.podIPs": address,
    "status.hostIP": address,
    "spec.nodeName": "local",
  };
  return Object.hasOwn(fields, path) ? fields[path] : undefined;
}
