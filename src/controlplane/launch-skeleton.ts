import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { matchesLabels } from "../mesh/index.ts";
import { MeshError } from "../model/error.ts";
import type { Resource } from "../model/resource.ts";
import type { ResourcePath } from "../model/resource-path.ts";
import { findImage, type KumikoSettings, toDesiredWorkload } from "../runtime/index.ts";
import type { GatewayBody } from "../schema/bodies.ts";
import { readFiles } from "../source/index.ts";
import { LAUNCH_FILE, type Places } from "./config.ts";

/** Images of the files' Deployments and StatefulSets that neither kumiko.yaml nor the container itself gives a command, in order. */
export async function imagesWithoutCommand(paths: readonly ResourcePath[], images: KumikoSettings["images"]): Promise<readonly string[]> {
  return unmapped(await resourcesOf(paths), images);
}

/** The lines of kumiko.yaml that say what program stands for each image, to be filled in. */
export function toImagesYaml(images: readonly string[]): string {
  const entries = images.map((image) => `  ${JSON.stringify(withoutTag(image))}:\n    command: [node, path/to/main.js]\n    portEnv: PORT`);
  return ["images:", ...new Set(entries)].join("\n");
}

/**
 * Writes a kumiko.yaml for the manifests of a folder, with every image to be filled in and every gateway's ports published.
 * @throws MeshError `refused` where there is one already: it is never overwritten.
 */
export async function writeLaunchFile({ root }: Places): Promise<{ readonly file: string; readonly images: readonly string[] }> {
  const file = join(root, LAUNCH_FILE);
  if (existsSync(file)) throw alreadyThere(file);
  const resources = await resourcesOf([root]);
  const images = unmapped(resources, {});
  const parts = [
    "# How `kumiko up` runs these manifests on this machine. A cluster never reads this file.\n",
    "# Files and folders of resources, relative to this file.\nresources:\n  - .\n",
    images.length === 0
      ? ""
      : `# The program that stands for each image, and the variable that tells it its port.\n${toImagesYaml(images)}\n`,
    publishYaml(resources),
  ];
  try {
    writeFileSync(file, parts.filter((part) => part !== "").join("\n"), { flag: "wx" });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") throw alreadyThere(file);
    throw new MeshError("io", `can't write ${file}`, { cause });
  }
  return { file, images };
}

function alreadyThere(file: string): MeshError {
  return new MeshError("refused", `${file} is there already and was left as it is`, {
    help: "edit it; kumiko up names the images that it lacks",
  });
}

async function resourcesOf(paths: readonly ResourcePath[]): Promise<readonly Resource[]> {
  return (await readFiles(paths)).resources;
}

function workloads(resources: readonly Resource[]) {
  return resources.flatMap((resource) => toDesiredWorkload(resource) ?? []).map((workload) => ({ workload, pod: workload.pod(0) }));
}

function unmapped(resources: readonly Resource[], images: KumikoSettings["images"]): readonly string[] {
  const containers = workloads(resources).flatMap(({ pod }) => (pod.capture === "gateway" ? [] : pod.spec.containers));
  const names = containers.flatMap(({ image = "", command = [] }) =>
    command.length > 0 || findImage(images, image) !== undefined ? [] : [image],
  );
  return [...new Set(names)].sort();
}

function withoutTag(image: string): string {
  return image.replace(/@[^@]*$/, "").replace(/:[^:/]*$/, "");
}

/** Ports below 1024 are root's: on this machine they are 8000 higher. */
const UNPRIVILEGED = 1024;

function publishYaml(resources: readonly Resource[]): string {
  const gateways = resources.filter(({ kind }) => kind === "Gateway").map(({ body }) => (body as GatewayBody).spec);
  const lines = workloads(resources).flatMap(({ workload: { namespace, name }, pod }) => {
    if (pod.capture !== "gateway") return [];
    const own = gateways.filter((spec) => matchesLabels(spec?.selector ?? {}, pod.labels));
    const ports = new Set(own.flatMap((spec) => (spec?.servers ?? []).flatMap(({ port }) => port?.number ?? [])));
    return [...ports].map(
      (port) => `  - { gateway: ${namespace}/${name}, port: ${port}, on: "127.0.0.1:${port < UNPRIVILEGED ? port + 8000 : port}" }`,
    );
  });
  return lines.length === 0 ? "" : `# The gateways' ports on this machine.\npublish:\n${lines.join("\n")}\n`;
}
