import type { Diagnostic } from "../model/diagnostic.ts";
import { MeshError } from "../model/error.ts";
import { formatPosition } from "../model/position.ts";
import { LAUNCH_FILE } from "./config.ts";
import { toImagesYaml } from "./launch-skeleton.ts";

/** All images without a command as one error, with the lines for kumiko.yaml that would end it; programs of others with what to add for the first. */
export function toMissingImages(found: readonly Diagnostic[], images: readonly string[], root: string): MeshError {
  const lines = found.map(({ message, position }) => `${position === undefined ? "" : `${formatPosition(position)}: `}${message}`);
  const unique = [...new Set(lines)];
  if (images.length === 0) {
    const help = found.find((one) => one.help !== undefined)?.help;
    return new MeshError("refused", unique.join("\n"), help === undefined ? {} : { help });
  }
  const skeleton = toImagesYaml(images);
  return new MeshError(
    "refused",
    [...unique, `to be added to ${root}/${LAUNCH_FILE}, each with the program that stands for the image:`, skeleton].join("\n"),
    {
      help: `kumiko up ${root} --init   (writes a ${LAUNCH_FILE} to fill in, where there is none)`,
    },
  );
}
