// Brings a service's database to its newest schema: `DATABASE_URL=… DATABASE_CA=… node scripts/db-migrate.ts user-service`.
// The URL is that of the database's owner, not of the service.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { databaseShape, main, readConfig } from "../src/service-kit/src/index.ts";
import { migrate } from "../src/service-kit/src/migrate.ts";

await main(async () => {
  const service = process.argv[2] ?? "";
  const folder = join(import.meta.dirname, "..", "src", service, "migrations");
  if (!/^[a-z-]+$/.test(service) || !existsSync(folder))
    throw new Error("usage: node scripts/db-migrate.ts user-service|video-service|chat-service");
  const { DATABASE_URL: url, DATABASE_CA: ca } = readConfig(
    { DATABASE_URL: databaseShape.DATABASE_URL, DATABASE_CA: databaseShape.DATABASE_CA },
    process.env,
  );
  const ran = await migrate({ url, ca, folder });
  process.stdout.write(ran.length === 0 ? "nothing to do\n" : ran.map((name) => `ran ${name}\n`).join(""));
});
