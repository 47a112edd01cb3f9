import { existsSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { type Diagnostic, diagnostic } from "../model/diagnostic.ts";
import { formatRef, type ResourceRef } from "../model/resource.ts";
import { expand } from "./env.ts";
import type { ImageCommand } from "./kumiko-yaml.ts";
import type { Container } from "./pod.ts";

/** The map's entry for an image: its full name first, then without digest and tag. */
export function findImage(images: Readonly<Record<string, ImageCommand>>, image: string): ImageCommand | undefined {
  const withoutDigest = image.replace(/@[^@]*$/, "");
  const withoutTag = withoutDigest.replace(/:[^:/]*$/, "");
  for (const name of [image, withoutDigest, withoutTag]) if (Object.hasOwn(images, name)) return images[name];
  return undefined;
}

/**
 * Command and working folder as Kubernetes combines container and image: the container's `command` takes the place of the image's and drops
 * the image's arguments; its `args` take the place of the image's. Undefined where neither names a program.
 */
export function toCommand(
  container: Container,
  image: ImageCommand | undefined,
  env: Readonly<Record<string, string>>,
  folder: string,
): { readonly command: readonly string[]; readonly workingDir: string } | undefined {
  const ownCommand = (container.command?.length ?? 0) > 0;
  const args = container.args ?? (ownCommand ? [] : (image?.args ?? []));
  const command = [...toEntry(container, image), ...args].map((word) => expand(word, env));
  if (command.length === 0) return undefined;
  const workingDir = image?.workingDir ?? ".";
  return { command, workingDir: isAbsolute(workingDir) ? workingDir : resolve(folder, workingDir) };
}

/**
 * The program of a container with its first arguments: its own `command`, whose first word belongs to the image's file system and is looked up
 * in the image's `programs`, else the image's command.
 */
export function toEntry(container: Container, image: ImageCommand | undefined): readonly string[] {
  const [program, ...words] = container.command ?? [];
  if (program === undefined) return image?.command ?? [];
  const { programs = {} } = image ?? {};
  return [...(Object.hasOwn(programs, program) ? (programs[program] ?? []) : [program]), ...words];
}

/** KMK2010 where neither container nor `kumiko.yaml` names a program of this machine. */
export function findUnmapped(
  container: Container,
  images: Readonly<Record<string, ImageCommand>>,
  resource: ResourceRef,
): Diagnostic | undefined {
  const { image: name = "" } = container;
  const image = findImage(images, name);
  const [program] = toEntry(container, image);
  if (program === undefined) {
    return diagnostic("KMK2010", {
      message: `image ${name} has no command, so that ${formatRef(resource)} can't run here`,
      help: `add images: { ${JSON.stringify(name)}: { command: [...] } } to kumiko.yaml`,
      resource,
    });
  }
  // A volume may bring it.
  const isMounted = (container.volumeMounts ?? []).some(({ mountPath }) => program.startsWith(`${mountPath.replace(/\/$/, "")}/`));
  if (container.command?.[0] !== program || !isAbsolute(program) || isMounted || existsSync(program)) return undefined;
  return diagnostic("KMK2010", {
    message: `${program} of image ${name} is no program of this machine, so that ${formatRef(resource)} can't run here`,
    help: `add images: { ${JSON.stringify(name)}: { programs: { ${JSON.stringify(program)}: [...] } } } to kumiko.yaml`,
    resource,
  });
}
