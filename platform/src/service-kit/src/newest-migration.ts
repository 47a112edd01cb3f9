import { readdirSync } from "node:fs";
import { basename } from "node:path";

/** The name of a folder's newest migration, as it is kept in the database. */
export function newestMigration(folder: URL | string): string {
  const newest = readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .toSorted()
    .at(-1);
  if (newest === undefined) throw new Error(`no migrations in ${folder}`);
  return basename(newest, ".sql");
}
