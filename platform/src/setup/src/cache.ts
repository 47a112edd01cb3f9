import { homedir } from "node:os";
import { join } from "node:path";

/**
 * The platform's folder in the user's cache, which may not be there yet: in `XDG_CACHE_HOME`, else in `~/.cache`. A relative `XDG_CACHE_HOME`
 * does not count; the XDG base directory specification says so.
 */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  const xdg = env["XDG_CACHE_HOME"];
  return join(xdg?.startsWith("/") ? xdg : join(env["HOME"] ?? homedir(), ".cache"), "kumiko-platform");
}
