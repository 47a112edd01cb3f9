import {
  databaseShape,
  main,
  newestMigration,
  openPool,
  readApiDocument,
  readConfig,
  runService,
  schemaCheck,
  serviceShape,
} from "@platform/service-kit";
import { createVideoService } from "./server.ts";
import { createVideos } from "./videos.ts";

await main(async () => {
  const config = readConfig({ ...serviceShape, ...databaseShape }, process.env);
  const pool = openPool({
    url: config.DATABASE_URL,
    ca: config.DATABASE_CA,
    poolSize: config.DATABASE_POOL_SIZE,
    applicationName: "video-service",
    onIdleError: (error) => server.log.warn({ err: error }, "an idle database connection broke"),
  });
  const server = createVideoService(
    {
      videos: createVideos(pool),
      api: readApiDocument(),
      checks: { database: schemaCheck(pool, newestMigration(new URL("../migrations/", import.meta.url))) },
    },
    { version: config.VERSION, logLevel: config.LOG_LEVEL },
  );
  server.addHook("onClose", () => pool.end());
  await runService(server, { port: config.PORT, stopTimeoutMs: config.STOP_TIMEOUT_MS });
});
