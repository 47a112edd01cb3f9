import { MeshError } from "../model/error.ts";
import { type HttpAnswer, requestOverSocket } from "./unix-http.ts";

/** Pages of Envoy's admin that only read; nothing else is passed on. */
const READABLE: ReadonlySet<string> = new Set([
  "/certs",
  "/clusters",
  "/config_dump",
  "/init_dump",
  "/listeners",
  "/memory",
  "/ready",
  "/runtime",
  "/server_info",
  "/stats",
  "/stats/prometheus",
]);

const MAX_PATH = 2048;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
/** The same in base64, at each of the three positions that base64 gives it. */
const PRIVATE_KEY_BASE64 = ["PRIVATE KEY", "-PRIVATE KEY", "--PRIVATE KEY"].map((text, i) =>
  Buffer.from(text)
    .toString("base64")
    .slice(i === 0 ? 0 : 4, -4),
);

/** True for a path and query that may be read through the agent. */
export function isReadableAdminPath(path: string): boolean {
  if (path.length > MAX_PATH || !path.startsWith("/") || /[^\x21-\x7e]/.test(path)) return false;
  return READABLE.has(path.split("?")[0] ?? "");
}

/**
 * Reads a page of Envoy's admin. Envoy leaves private keys out itself; where one is found all the same, nothing is given out.
 * @throws MeshError `usage` for another path, `network` where Envoy does not answer, `refused` where the page holds a key.
 */
export async function readAdmin(adminSocket: string, path: string): Promise<HttpAnswer> {
  if (!isReadableAdminPath(path))
    throw new MeshError("usage", "that admin page is not passed on", { help: `one of ${[...READABLE].join(", ")}` });
  const answer = await requestOverSocket(adminSocket, path).catch((thrown: unknown) => {
    throw new MeshError("network", `Envoy's admin does not answer: ${MeshError.from(thrown).message}`, { cause: thrown });
  });
  if (holdsPrivateKey(answer.body)) throw new MeshError("refused", "Envoy's answer holds a private key and was not passed on");
  return answer;
}

/** True where a PEM private key is in the bytes, as it is or in base64. */
export function holdsPrivateKey(body: Buffer): boolean {
  const text = body.toString("latin1");
  return PRIVATE_KEY.test(text) || PRIVATE_KEY_BASE64.some((encoded) => text.includes(encoded));
}
