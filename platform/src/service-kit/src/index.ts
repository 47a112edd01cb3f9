export { callService, type ServiceCall } from "./call-service.ts";
export { type Caller, readCaller } from "./caller.ts";
export { CallerError, ConfigError, databaseShape, origin, port, readConfig, serviceShape } from "./config.ts";
export { cursorOf, type CursorFormat, pageOf } from "./cursor.ts";
export { forwardedHeaders, traceIdOf } from "./forwarded-headers.ts";
export { createGrpcClient, type GrpcCall, type GrpcClient } from "./grpc-client.ts";
export { type GrpcHandler, type GrpcServerOptions, startGrpcServer } from "./grpc-server.ts";
export { fromTimestamp, readGrpcService, type Timestamp, toTimestamp } from "./grpc-service.ts";
export { addHealth, type Check } from "./health.ts";
export { addPoolMetrics } from "./metrics.ts";
export { newestMigration } from "./newest-migration.ts";
export { addApiDocument, type ApiDocument, type Operation, readApiDocument } from "./openapi.ts";
export {
  connectionOf,
  type Database,
  inTransaction,
  openDatabase,
  openPool,
  type Pool,
  type PoolClient,
  type PostgresOptions,
  schemaCheck,
} from "./postgres.ts";
export { Problem, toProblem } from "./problem.ts";
export { remainingMs } from "./remaining.ts";
export { currentTraceparent, inRequestScope } from "./request-scope.ts";
export { main, type RunOptions, runService } from "./run-service.ts";
export { createServer, type ServerOptions } from "./server.ts";
export { startTracing, type TracingSettings } from "./tracing.ts";
