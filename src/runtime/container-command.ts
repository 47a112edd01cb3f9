import { isAbsolute, resolve } from "node:path";
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
  // A container's own command belongs to the image's file system; only where no image is mapped can it be meant for this machine.
  const entry = (container.command?.length ?? 0) > 0 ? container.command : undefined;
  const program = entry ?? image?.command ?? [];
  const args = container.args ?? (entry === undefined ? (image?.args ?? []) : []);
  const command = [...program, ...args].map((word) => expand(word, env));
  if (command.length === 0) return undefined;
  const workingDir = image?.workingDir ?? ".";
  return { command, workingDir: isAbsolute(workingDir) ? workingDir : resolve(folder, workingDir) };
}
