/** PostgreSQL's classes of errors that pass: connections, resources, operator's intervention, and transactions that met each other. */
const TRANSIENT_CLASSES = new Set(["08", "53", "57", "40", "58"]);

/** node-postgres tells of a broken connection in words only. */
const CONNECTION_WORDS =
  /^(Connection terminated|timeout exceeded|Client (has encountered|was closed)|Cannot use a pool|Query read timeout)/;

/** Whether the same work may well succeed in a moment: the database is away or busy, rather than the work wrong. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (/^[0-9A-Z]{5}$/.test(code) && TRANSIENT_CLASSES.has(code.slice(0, 2))) return true;
  // Node's own: ECONNREFUSED, EPIPE.
  if (/^E[A-Z]+$/.test(code)) return true;
  return CONNECTION_WORDS.test(error.message);
}
