/** Writes without end and prints the revision of each write once it is acknowledged: its test kills it in the middle. */
import { openSqliteStore } from "./sqlite.ts";

const [file = ""] = process.argv.slice(2);
const store = openSqliteStore({ file });
for (let i = 0; ; i++) {
  const value = { i, filler: "x".repeat(i % 5000) };
  const written = await store.transaction([
    { kind: "put", key: { kind: "Pod", namespace: String(process.pid), name: String(i) }, value },
    { kind: "put", key: { kind: "Last", namespace: "", name: "write" }, value: { i, pid: process.pid } },
  ]);
  if (written.kind === "written") process.stdout.write(`${written.revision} ${process.pid} ${i}\n`);
}
