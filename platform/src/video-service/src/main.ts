import { createOutbox, eventsShape, openBroker, startRelay, videoPublished } from "@platform/events";
import {
  addPoolMetrics,
  currentTraceparent,
  databaseShape,
  main,
  newestMigration,
  openDatabase,
  port,
  readApiDocument,
  readConfig,
  readGrpcService,
  runService,
  schemaCheck,
  serviceShape,
  startGrpcServer,
  startTracing,
} from "@platform/service-kit";
import * as z from "zod";
import { adminMethods } from "./admin.ts";
import { createFolderStore } from "./content/folder-store.ts";
import { createPostgresStore } from "./content/postgres-store.ts";
import { sweep } from "./content/sweep.ts";
import { createVideoService } from "./server.ts";
import { createVideos } from "./videos.ts";

const NAME = "video-service";

const shape = {
  ...serviceShape,
  ...databaseShape,
  ...eventsShape,
  /** The admin API's, over gRPC. */
  GRPC_PORT: port.default(9090),
  /** Where uploads lie; in PostgreSQL where it is left out. */
  CONTENT_FOLDER: z.string().startsWith("/", "must be an absolute path").optional(),
  CONTENT_MAX_BYTES: z.coerce
    .number()
    .int()
    .min(1)
    .max(1024 ** 3)
    .default(16 * 1024 ** 2),
};

const SWEEP_MS = 3_600_000;

await main(async () => {
  const config = readConfig(shape, process.env);
  const { VERSION: version } = config;
  const stopTracing = await startTracing({ endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT, service: NAME, version });
  const database = openDatabase({
    url: config.DATABASE_URL,
    readerUrl: config.DATABASE_READER_URL,
    ca: config.DATABASE_CA,
    poolSize: config.DATABASE_POOL_SIZE,
    applicationName: NAME,
    onIdleError: (error) => server.log.warn({ err: error }, "an idle database connection broke"),
  });
  const outbox = createOutbox({ source: NAME, traceparent: currentTraceparent });
  const videos = createVideos(database, {
    published: async ({ id: videoId, owner, title, publishedAt }, transaction) => {
      if (publishedAt === null) throw new Error("a published video has no time of it");
      await outbox.add(transaction, videoPublished.of({ videoId, owner, title, publishedAt }));
    },
  });
  const store = config.CONTENT_FOLDER === undefined ? createPostgresStore(database) : createFolderStore(config.CONTENT_FOLDER);
  const checks = { database: schemaCheck(database.writer, newestMigration(new URL("../migrations/", import.meta.url))) };
  const server = createVideoService(
    { videos, store, api: readApiDocument(), maxBytes: config.CONTENT_MAX_BYTES, checks },
    { version, logLevel: config.LOG_LEVEL },
  );
  addPoolMetrics(server.metrics, database);
  const sweeping = setInterval(() => {
    sweep({ store, used: videos.usedContents, olderThanMs: SWEEP_MS, now: Date.now() }).then(
      (removed) => removed > 0 && server.log.info({ removed }, "removed contents that nobody points to"),
      (error: unknown) => server.log.warn({ err: error }, "contents could not be swept"),
    );
  }, SWEEP_MS);
  const broker = await openBroker(config, { name: NAME, log: server.log });
  const relay = startRelay({ pool: database.writer, broker, log: server.log });
  server.addHook("onClose", async () => {
    clearInterval(sweeping);
    await relay.stop();
    await broker.close();
    await database.close();
    await stopTracing();
  });
  // After the hook above: the last one that is added runs first, so that calls in flight still have their database.
  const service = readGrpcService("video-admin.proto", "platform.video.v1.VideoAdmin");
  await startGrpcServer({ service, methods: adminMethods(videos), server }, config.GRPC_PORT);
  await runService(server, { port: config.PORT, stopTimeoutMs: config.STOP_TIMEOUT_MS });
});
