import { fileURLToPath } from "node:url";
import { runner } from "node-pg-migrate";
import { Client } from "pg";
import { connectionOf } from "./postgres.ts";

/**
 * Brings a database to the newest schema. An advisory lock keeps two from doing it at once.
 *
 * @returns the names of the migrations that ran; none where all had.
 */
export async function migrate(options: {
  url: string;
  ca: string;
  folder: URL | string;
  log?: (line: string) => void;
}): Promise<readonly string[]> {
  const client = new Client(connectionOf(options.url, options.ca));
  await client.connect();
  try {
    const done = await runner({
      dbClient: client,
      dir: pathOf(options.folder),
      direction: "up",
      migrationsTable: "pgmigrations",
      checkOrder: true,
      singleTransaction: true,
      log: options.log ?? (() => undefined),
    });
    return done.map(({ name }) => name);
  } finally {
    await client.end();
  }
}

function pathOf(folder: URL | string): string {
  return typeof folder === "string" ? folder : fileURLToPath(folder);
}
