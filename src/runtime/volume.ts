import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { decodeConfigMap, decodeSecret, type EnvSources } from "./env.ts";
import type { DesiredPod } from "./pod.ts";

/** Folders that a pod finds in its file system: an empty one, or one with the keys of a ConfigMap or Secret as files. */
export type VolumeMounts = readonly VolumeMount[];

export interface VolumeMount {
  /** Name within the pod: two paths that mount the same volume see the same files. */
  readonly volume: string;
  readonly mountPath: string;
  readonly files: Readonly<Record<string, Buffer>>;
  readonly mode: number;
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

/** Volumes of kinds configMap, secret and emptyDir, as far as a container mounts them. */
export function toPodVolumes(pod: DesiredPod, sources: Pick<EnvSources, "configMap" | "secret">): PodVolumes {
  const mounts: VolumeMount[] = [];
  const missing: string[] = [];
  const unsupported: string[] = [];
  const byName = new Map((pod.spec.volumes ?? []).map((volume) => [volume.name, volume]));
  const mounted = new Set<string>();
  for (const { name, mountPath, subPath, subPathExpr } of pod.spec.containers.flatMap((container) => container.volumeMounts ?? [])) {
    const volume = byName.get(name);
    if (mounted.has(mountPath)) continue;
    mounted.add(mountPath);
    if (volume === undefined) missing.push(`volume ${name} is mounted but not declared`);
    else if (!isPlainPath(mountPath) || !isPlainPath(`/${name}`))
      unsupported.push(`volume ${name}, mounted at ${mountPath}, which is no absolute path without dot segments,`);
    else if (subPath === undefined && subPathExpr === undefined) addMount(volume, mountPath, pod.namespace, sources, { mounts, missing });
  }
  return { mounts, missing, unsupported };
}

interface Found {
  readonly mounts: VolumeMount[];
  readonly missing: string[];
}

function addMount(
  volume: Volume,
  mountPath: string,
  namespace: string,
  sources: Pick<EnvSources, "configMap" | "secret">,
  { mounts, missing }: Found,
): void {
  if (volume.emptyDir !== undefined) {
    mounts.push({ volume: volume.name, mountPath, files: {}, mode: 0o644 });
  } else if (volume.configMap !== undefined) {
    const { name = "", items, optional } = volume.configMap;
    const found = sources.configMap(namespace, name);
    if (found === undefined && optional !== true) missing.push(`ConfigMap ${namespace}/${name} does not exist`);
    else
      mounts.push({ volume: volume.name, mountPath, files: choose(found === undefined ? {} : decodeConfigMap(found), items), mode: 0o644 });
  } else if (volume.secret !== undefined) {
    const { secretName = "", items, optional } = volume.secret;
    const found = sources.secret(namespace, secretName);
    if (found === undefined && optional !== true) missing.push(`Secret ${namespace}/${secretName} does not exist`);
    else mounts.push({ volume: volume.name, mountPath, files: choose(found === undefined ? {} : decodeSecret(found), items), mode: 0o600 });
  }
}

function choose(
  values: Readonly<Record<string, Buffer>>,
  items: readonly { readonly key: string; readonly path: string }[] | undefined,
): Readonly<Record<string, Buffer>> {
  if (items === undefined) return values;
  const chosen: Record<string, Buffer> = {};
  for (const { key, path } of items) {
    const value = values[key];
    if (value !== undefined) chosen[path] = value;
  }
  return chosen;
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
