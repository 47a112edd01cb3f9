import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { MeshError } from "../model/error.ts";
import { systemPath } from "./system-path.ts";

const found = new Map<string, string>();

/** Absolute path of a system program, whatever PATH a workload has. @throws MeshError `missing-program`. */
export function getProgram(name: string): string {
  const known = found.get(name);
  if (known !== undefined) return known;
  for (const folder of systemPath().split(":")) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      found.set(name, path);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  throw new MeshError("missing-program", `program ${name} is missing`, { help: "kumiko up names the package that brings it" });
}
