import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * What applications need and may not find where it lies under /tmp, /run and the like, which they see empty: the npm project that their folder
 * belongs to (its packages, linked workspaces included), and the Node that runs us, which is theirs too.
 */
export function visibleFolders(root: string, node = process.execPath): readonly string[] {
  const project = projectOf(root);
  return [...(project === undefined ? [] : [project]), dirname(node)];
}

/** The nearest folder at or above this one that has packages installed. */
function projectOf(folder: string): string | undefined {
  if (existsSync(join(folder, "node_modules"))) return folder;
  return folder === dirname(folder) ? undefined : projectOf(dirname(folder));
}
