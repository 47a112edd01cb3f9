/** Classes of PostgreSQL's error codes that pass by themselves: connection, resources, operator's intervention, system. */
const PASSING = new Set(["08", "53", "57", "58"]);
const SOCKET = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENOTFOUND", "EAI_AGAIN"]);
/** node-postgres tells of some failures in words only. */
const WORDS =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout)/;

/** True for errors of the database that say nothing of the request: it is away, starting, or has too much to do. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return SOCKET.has(code) || (/^[0-9A-Z]{5}$/.test(code) && PASSING.has(code.slice(0, 2))) || WORDS.test(error.message);
}
