import { fileURLToPath } from "node:url";

/** How this program starts itself again: the Node that runs it, and its entry file, from source or built. */
export function selfCommand(): readonly [string, ...string[]] {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return [process.execPath, ...process.execArgv, fileURLToPath(new URL(`../main.${extension}`, import.meta.url))];
}

/** The sample that `kumiko up` copies into an empty folder. */
export function sampleFolder(): string {
  return fileURLToPath(new URL("../../samples/hello", import.meta.url));
}
