import { loadPackageDefinition, type ServiceClientConstructor, type ServiceDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { fileURLToPath } from "node:url";

/**
 * Reads a service of a `.proto` file in `docs/api`.
 *
 * @throws where the file has no such service: a mistake in the code or the file.
 */
export function readGrpcService(file: string, service: string): ServiceDefinition {
  const path = fileURLToPath(new URL(`../../../docs/api/${file}`, import.meta.url));
  const loaded = loadPackageDefinition(loadSync(path, { longs: Number, enums: String, defaults: true }));
  let found: unknown = loaded;
  for (const part of service.split(".")) found = (found as Readonly<Record<string, unknown>> | undefined)?.[part];
  if (typeof found !== "function" || !("service" in found)) throw new Error(`${file} has no service "${service}"`);
  return (found as ServiceClientConstructor).service;
}

/** A `google.protobuf.Timestamp` as it is on the wire. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

/** ISO 8601, as in JSON. */
export function toTimestamp(iso: string): Timestamp {
  const milliseconds = Date.parse(iso);
  const seconds = Math.floor(milliseconds / 1_000);
  return { seconds, nanos: (milliseconds - seconds * 1_000) * 1_000_000 };
}

export function fromTimestamp({ seconds, nanos }: Timestamp): string {
  return new Date(seconds * 1_000 + Math.floor(nanos / 1_000_000)).toISOString();
}
