import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { didYouMean } from "../base/did-you-mean.ts";
import { quote } from "../base/shell.ts";
import { LAUNCH_FILE } from "../controlplane/config.ts";
import { MeshError } from "../model/error.ts";
import { declaredBelow, foldersIn, isDeclared } from "./find-mesh.ts";

const SHOWN = 5;

/**
 * The folder that `kumiko up` is to run: what was named, else the current one. @throws MeshError `usage` for one that isn't there, so that a
 * slip makes no files, and for one without a kumiko.yaml that holds meshes of its own: all their manifests would be read as those of one.
 */
export function folderToRun(named: string | undefined, cwd: string): string {
  const folder = resolve(cwd, named ?? ".");
  if (!existsSync(folder)) throw notThere(named ?? ".", folder);
  if (!statSync(folder).isDirectory())
    throw new MeshError("usage", `${named ?? folder} is no folder`, { help: `kumiko up ${quote(relative(cwd, dirname(folder)) || ".")}` });
  if (isDeclared(folder)) return folder;
  const meshes = declaredBelow(folder).map((mesh) => relative(cwd, mesh));
  const [first] = meshes;
  if (first === undefined) return folder;
  const list = meshes.length > SHOWN ? `${meshes.slice(0, SHOWN).join(", ")}, …` : meshes.join(", ");
  throw new MeshError(
    "usage",
    `${folder} has no ${LAUNCH_FILE}, and holds ${meshes.length === 1 ? "a mesh of its own" : "several meshes"}: ${list}`,
    {
      help: `kumiko up ${quote(first)}   (or, to run all of it as one mesh:  touch ${quote(relative(cwd, join(folder, LAUNCH_FILE)))})`,
    },
  );
}

function notThere(named: string, folder: string): MeshError {
  const meant = didYouMean(
    basename(folder),
    foldersIn(dirname(folder)).map((sibling) => basename(sibling)),
  );
  const hint = meant === undefined ? "" : ` (did you mean "${meant}"?)`;
  return new MeshError("usage", `there is no folder ${named}${hint}`, {
    help:
      meant === undefined
        ? `mkdir -p ${quote(named)} && kumiko up ${quote(named)}   (runs a sample in it)`
        : `kumiko up ${quote(join(dirname(named), meant))}`,
  });
}
