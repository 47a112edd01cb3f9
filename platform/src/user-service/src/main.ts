import {
  databaseShape,
  main,
  newestMigration,
  openPool,
  origin,
  readApiDocument,
  readConfig,
  runService,
  schemaCheck,
  serviceShape,
} from "@platform/service-kit";
import { createModeration } from "./moderation.ts";
import { createUserService } from "./server.ts";
import { createUsers } from "./users.ts";

await main(async () => {
  const config = readConfig(
    { ...serviceShape, ...databaseShape, VIDEO_SERVICE_URL: origin.default("http://video-service:8080") },
    process.env,
  );
  const pool = openPool({
    url: config.DATABASE_URL,
    ca: config.DATABASE_CA,
    poolSize: config.DATABASE_POOL_SIZE,
    applicationName: "user-service",
    onIdleError: (error) => server.log.warn({ err: error }, "an idle database connection broke"),
  });
  const server = createUserService(
    {
      users: createUsers(pool),
      moderation: createModeration(config.VIDEO_SERVICE_URL),
      api: readApiDocument(),
      checks: { database: schemaCheck(pool, newestMigration(new URL("../migrations/", import.meta.url))) },
    },
    { version: config.VERSION, logLevel: config.LOG_LEVEL },
  );
  server.addHook("onClose", () => pool.end());
  await runService(server, { port: config.PORT, stopTimeoutMs: config.STOP_TIMEOUT_MS });
});
