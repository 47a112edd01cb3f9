import * as z from "zod";

/** What whoever called a program can mend; the message says what is wrong, and no stack helps. */
export class CallerError extends Error {
  override readonly name: string = "CallerError";
}

/** A setting of the environment is missing or wrong. The message names each variable and never a value. */
export class ConfigError extends CallerError {
  override readonly name = "ConfigError";
}

/**
 * Reads the configuration from the environment by a schema, once, at start.
 *
 * @throws ConfigError naming every variable that is missing or wrong.
 */
export function readConfig<Shape extends z.ZodRawShape>(shape: Shape, env: NodeJS.ProcessEnv): z.output<z.ZodObject<Shape>> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const result = z.object(shape).safeParse(given);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`);
  throw new ConfigError(`the environment does not fit (see .env.example):\n${lines.join("\n")}`);
}

export const port = z.coerce.number().int().min(1).max(65535);

/** An http or https origin without a path, as other services are named. */
export const origin = z
  .url({ protocol: /^https?$/ })
  .refine((text) => new URL(text).pathname === "/", "must be an origin without a path")
  .transform((text) => new URL(text).origin);

/** What every service is told. */
export const serviceShape = {
  PORT: port.default(8080),
  VERSION: z.string().max(40).default("v1"),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
  /** How long requests in flight may still take after SIGTERM. */
  STOP_TIMEOUT_MS: z.coerce.number().int().min(0).max(300_000).default(10_000),
  /** An OTLP/HTTP collector, `http://collector:4318`. Without it no spans are made; trace headers are passed on all the same. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/, error: "must be an http or https URL" }).optional(),
};

const databaseUrl = z.url({ protocol: /^postgres(ql)?$/, error: "must be a postgres:// URL" });

/** What every service with a database is told. */
export const databaseShape = {
  DATABASE_URL: databaseUrl,
  /** A read replica. Without it everything is read where it is written. */
  DATABASE_READER_URL: databaseUrl.optional(),
  /** PEM of the authority that signed the database's certificate. */
  DATABASE_CA: z.string("must be a PEM certificate").includes("BEGIN CERTIFICATE", { error: "must be a PEM certificate" }),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(1).max(200).default(10),
};
