import { eventsShape, openBroker } from "@platform/events";
import {
  addPoolMetrics,
  databaseShape,
  main,
  newestMigration,
  openPool,
  readApiDocument,
  readConfig,
  runService,
  schemaCheck,
  serviceShape,
  startTracing,
} from "@platform/service-kit";
import { createChat } from "./chat.ts";

const NAME = "chat-service";

await main(async () => {
  const config = readConfig({ ...serviceShape, ...databaseShape, ...eventsShape }, process.env);
  const stopTracing = await startTracing({ endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT, service: NAME, version: config.VERSION });
  const pool = openPool({
    url: config.DATABASE_URL,
    ca: config.DATABASE_CA,
    poolSize: config.DATABASE_POOL_SIZE,
    applicationName: NAME,
    onIdleError: (error) => server.log.warn({ err: error }, "an idle database connection broke"),
  });
  const { server } = await createChat(
    {
      pool,
      openBroker: (log) => openBroker(config, { name: NAME, log }),
      api: readApiDocument(),
      // Not the broker: without it people read and write, and what they write waits in the outbox.
      checks: { database: schemaCheck(pool, newestMigration(new URL("../migrations/", import.meta.url))) },
    },
    { version: config.VERSION, logLevel: config.LOG_LEVEL },
  );
  addPoolMetrics(server.metrics, { writer: pool, reader: pool });
  await runService(server, { port: config.PORT, stopTimeoutMs: config.STOP_TIMEOUT_MS });
  await stopTracing();
});
