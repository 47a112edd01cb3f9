import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { isDnsSubdomain } from "../schema/names.ts";
import { decodeConfigMap, decodeSecret, type EnvSources, readField } from "./env.ts";
import type { DesiredPod } from "./pod.ts";

/** What a pod's containers find mounted. */
export type VolumeMounts = readonly VolumeMount[];

export interface VolumeMount {
  /** Name within the pod: two paths that mount the same volume see the same files. */
  readonly volume: string;
  readonly mountPath: string;
  /** A file or folder within the volume; a folder that isn't there is made. */
  readonly subPath?: string;
  readonly readOnly?: boolean;
  readonly files: Readonly<Record<string, Buffer>>;
  readonly mode: number;
  /** What fits into it, where that is limited. */
  readonly sizeBytes?: number;
  /** Name of the claim, `NAMESPACE/NAME`, whose folder it is: it outlives the pod. */
  readonly claim?: string;
}

/** Where a pod's volumes are before they are bound to their paths: a folder that no symbolic link leads out of. */
export const VOLUME_FOLDER = "/.kumiko/volumes";

export interface PodVolumes {
  readonly mounts: VolumeMounts;
  /** What keeps the pod from starting until it is there. */
  readonly missing: readonly string[];
  /** Mounts that can't be made here: named, and left out. Of fields that have no effect, their check speaks (`src/schema/kind/workload.ts`). */
  readonly unsupported: readonly string[];
}

type Volume = NonNullable<DesiredPod["spec"]["volumes"]>[number];
type Sources = Pick<EnvSources, "configMap" | "secret">;
type Content = Pick<VolumeMount, "files" | "mode" | "sizeBytes" | "claim" | "readOnly">;

/** Volumes as far as a container mounts them: ConfigMaps, Secrets, the Pod's own fields, all of these projected, empty folders and claims. */
export function toPodVolumes(pod: DesiredPod, sources: Sources): PodVolumes {
  const mounts: VolumeMount[] = [];
  const reader = new VolumeReader(pod, sources);
  const byName = new Map((pod.spec.volumes ?? []).map((volume) => [volume.name, volume]));
  const mounted = new Set<string>();
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  for (const { name, mountPath, subPath, subPathExpr, readOnly } of containers.flatMap((container) => container.volumeMounts ?? [])) {
    const volume = byName.get(name);
    if (mounted.has(mountPath)) continue;
    mounted.add(mountPath);
    if (volume === undefined) reader.missing.push(`volume ${name} is mounted but not declared`);
    else if (!isPlainPath(mountPath) || !isPlainPath(`/${name}`))
      reader.unsupported.push(`volume ${name}, mounted at ${mountPath}, which is no absolute path without dot segments,`);
    else if (subPath && !isPlainPath(`/${subPath}`)) reader.unsupported.push(`volume ${name} with a subPath that leaves it`);
    else if (subPathExpr === undefined) {
      const content = reader.read(volume);
      if (content !== undefined)
        mounts.push({ volume: name, mountPath, ...(subPath && { subPath }), ...(readOnly === true && { readOnly }), ...content });
    }
  }
  return { mounts, missing: reader.missing, unsupported: reader.unsupported };
}

/** Reads volumes of one pod, and remembers what is missing. */
class VolumeReader {
  readonly missing: string[] = [];
  readonly unsupported: string[] = [];
  readonly #pod: DesiredPod;
  readonly #sources: Sources;

  constructor(pod: DesiredPod, sources: Sources) {
    this.#pod = pod;
    this.#sources = sources;
  }

  read(volume: Volume): Content | undefined {
    const { name, emptyDir, configMap, secret, downwardAPI, projected, persistentVolumeClaim } = volume;
    if (emptyDir !== undefined) {
      const sizeBytes = parseQuantity(emptyDir.sizeLimit);
      return { files: {}, mode: 0o644, ...(sizeBytes !== undefined && { sizeBytes }) };
    }
    if (persistentVolumeClaim !== undefined) {
      const { claimName, readOnly } = persistentVolumeClaim;
      // It becomes a folder's name, and must lead nowhere else.
      if (!isDnsSubdomain(claimName)) return void this.missing.push(`volume ${name}: ${JSON.stringify(claimName)} is no claim's name`);
      return { files: {}, mode: 0o644, claim: `${this.#pod.namespace}/${claimName}`, ...(readOnly === true && { readOnly }) };
    }
    const given = configMap ?? secret ?? downwardAPI ?? projected;
    const parts =
      projected === undefined
        ? [{ configMap, downwardAPI, secret: secret && { ...secret, name: secret.secretName } }]
        : (projected.sources ?? []);
    if (given === undefined) return undefined;
    const files = parts.map((part) => this.#readPart(name, part));
    if (files.includes(undefined)) return undefined;
    return { files: Object.assign({}, ...files), mode: given.defaultMode ?? (secret === undefined ? 0o644 : 0o600), readOnly: true };
  }

  /** One source of a projected volume; undefined where it is missing. */
  #readPart(volume: string, part: object): Readonly<Record<string, Buffer>> | undefined {
    const { configMap, secret, downwardAPI } = part as ProjectedPart;
    if (configMap !== undefined) return this.#readKeys("ConfigMap", configMap);
    if (secret !== undefined) return this.#readKeys("Secret", secret);
    return downwardAPI === undefined ? {} : this.#readFields(volume, downwardAPI.items ?? []);
  }

  #readKeys(kind: "ConfigMap" | "Secret", { name = "", items, optional }: KeysOf): Readonly<Record<string, Buffer>> | undefined {
    const { namespace } = this.#pod;
    const values = kind === "ConfigMap" ? this.#configMap(namespace, name) : this.#secret(namespace, name);
    if (values !== undefined) return choose(values, items);
    if (optional === true) return {};
    this.missing.push(`${kind} ${namespace}/${name} does not exist`);
    return undefined;
  }

  #configMap(namespace: string, name: string): Readonly<Record<string, Buffer>> | undefined {
    const found = this.#sources.configMap(namespace, name);
    return found && decodeConfigMap(found);
  }

  #secret(namespace: string, name: string): Readonly<Record<string, Buffer>> | undefined {
    const found = this.#sources.secret(namespace, name);
    return found && decodeSecret(found);
  }

  #readFields(volume: string, items: readonly FieldOf[]): Readonly<Record<string, Buffer>> {
    const files: Record<string, Buffer> = {};
    for (const { path, fieldRef } of items) {
      const value = fieldRef === undefined ? undefined : this.#readField(fieldRef.fieldPath);
      if (value === undefined) this.unsupported.push(`file ${path} of volume ${volume}`);
      else files[path] = Buffer.from(value, "utf8");
    }
    return files;
  }

  /** All labels or annotations are lines of `key="value"`, as a kubelet writes them. */
  #readField(path: string): string | undefined {
    if (path !== "metadata.labels" && path !== "metadata.annotations") return readField(path, this.#pod, "");
    const values = path === "metadata.labels" ? this.#pod.labels : this.#pod.annotations;
    return Object.keys(values)
      .toSorted()
      .map((key) => `${key}=${JSON.stringify(values[key])}`)
      .join("\n");
  }
}

interface KeysOf {
  readonly name?: string;
  readonly items?: readonly { readonly key: string; readonly path: string }[];
  readonly optional?: boolean;
}

interface FieldOf {
  readonly path: string;
  readonly fieldRef?: { readonly fieldPath: string };
}

interface ProjectedPart {
  readonly configMap?: KeysOf;
  readonly secret?: KeysOf;
  readonly downwardAPI?: { readonly items?: readonly FieldOf[] };
}

function choose(values: Readonly<Record<string, Buffer>>, items: KeysOf["items"]): Readonly<Record<string, Buffer>> {
  if (items === undefined) return values;
  return Object.fromEntries(
    items.flatMap(({ key, path }) => {
      const value = values[key];
      return value === undefined ? [] : [[path, value]];
    }),
  );
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Bytes of a quantity such as `64Mi`; undefined where none is given or it is of no use as a size. */
function parseQuantity(quantity: string | number | undefined): number | undefined {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)([kMGT]|[KMGT]i)?$/.exec(String(quantity ?? "")) ?? [];
  const bytes = Math.floor(Number(number) * (UNITS[unit] ?? 1));
  return bytes > 0 ? bytes : undefined;
}

/** Writes the files below `root`, which is a pod's file system as seen from outside. A path that leaves its volume is left out. */
export function writeVolumes(root: string, volumes: VolumeMounts): void {
  for (const { volume, files, mode } of volumes) {
    for (const [path, content] of Object.entries(files)) {
      if (!isPlainPath(`/${path}`)) continue;
      const file = join(root, VOLUME_FOLDER, volume, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content, { mode });
    }
  }
}

function isPlainPath(path: string): boolean {
  return path.startsWith("/") && path !== "/" && normalize(path) === path.replace(/\/$/, "") && !path.includes("\0");
}
