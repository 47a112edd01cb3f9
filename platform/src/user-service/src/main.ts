import { createOutbox, eventsShape, openBroker, startRelay, userSignedUp } from "@platform/events";
import {
  addPoolMetrics,
  createGrpcClient,
  currentTraceparent,
  databaseShape,
  main,
  newestMigration,
  openDatabase,
  readApiDocument,
  readConfig,
  readGrpcService,
  runService,
  schemaCheck,
  serviceShape,
  startTracing,
} from "@platform/service-kit";
import * as z from "zod";
import { createModeration } from "./moderation.ts";
import { createUserService } from "./server.ts";
import { createUsers } from "./users.ts";

const NAME = "user-service";

const shape = {
  ...serviceShape,
  ...databaseShape,
  ...eventsShape,
  /** Where the video service's admin API is, over gRPC. */
  VIDEO_ADMIN_ADDRESS: z
    .string()
    .regex(/^[\w.-]+:\d{1,5}$/, "must be host:port")
    .default("video-service:9090"),
};

await main(async () => {
  const config = readConfig(shape, process.env);
  const stopTracing = await startTracing({
    endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    service: NAME,
    version: config.VERSION,
  });
  const database = openDatabase({
    url: config.DATABASE_URL,
    readerUrl: config.DATABASE_READER_URL,
    ca: config.DATABASE_CA,
    poolSize: config.DATABASE_POOL_SIZE,
    applicationName: NAME,
    onIdleError: (error) => server.log.warn({ err: error }, "an idle database connection broke"),
  });
  const outbox = createOutbox({ source: NAME, traceparent: currentTraceparent });
  const videoAdmin = createGrpcClient(config.VIDEO_ADMIN_ADDRESS, readGrpcService("video-admin.proto", "platform.video.v1.VideoAdmin"));
  const server = createUserService(
    {
      users: createUsers(database, {
        signedUp: ({ id: userId, subject, displayName }, transaction) =>
          outbox.add(transaction, userSignedUp.of({ userId, subject, displayName })),
      }),
      moderation: createModeration(videoAdmin),
      api: readApiDocument(),
      checks: { database: schemaCheck(database.writer, newestMigration(new URL("../migrations/", import.meta.url))) },
    },
    { version: config.VERSION, logLevel: config.LOG_LEVEL },
  );
  addPoolMetrics(server.metrics, database);
  const broker = await openBroker(config, { name: NAME, log: server.log });
  const relay = startRelay({ pool: database.writer, broker, log: server.log });
  server.addHook("onClose", async () => {
    videoAdmin.close();
    await relay.stop();
    await broker.close();
    await database.close();
    await stopTracing();
  });
  await runService(server, { port: config.PORT, stopTimeoutMs: config.STOP_TIMEOUT_MS });
});
