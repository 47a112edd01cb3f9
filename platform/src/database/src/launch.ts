import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** `nobody`: has an entry in /etc/passwd, which initdb asks for. */
const NOBODY = "65534";

/**
 * What to write before a program of PostgreSQL's, which refuses to run as root. For root: a user namespace in which root's files belong
 * to `nobody`, so that the data folder stays the caller's and no account has to be made.
 *
 * @throws where root can't make a user namespace.
 */
export function launchPrefix(uid = process.getuid?.()): readonly string[] {
  if (uid !== 0) return [];
  const prefix = ["unshare", "--user", `--map-user=${NOBODY}`, `--map-group=${NOBODY}`, "--"];
  const trial = spawnSync(prefix[0] ?? "", [...prefix.slice(1), "true"], { stdio: "ignore" });
  if (trial.status === 0) return prefix;
  throw new Error("PostgreSQL does not run as root, and this machine forbids user namespaces: run as an ordinary user");
}

/** Makes the system stop the server when this process dies without a word, where the system can. */
export function deathWishPrefix(): readonly string[] {
  const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));
  return setpriv === undefined ? [] : [setpriv, "--pdeathsig", "INT", "--"];
}
