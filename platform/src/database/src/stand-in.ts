import { readFileSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "@platform/service-kit/migrate";
import { databases, ownerOf, type Places, readPasswords, roleOf } from "@platform/setup";
import { type Cluster, startCluster } from "./cluster.ts";
import { provision } from "./roles.ts";

export interface StandIn extends Cluster {
  /** The URL that a service is given. */
  serviceUrl(database: string): string;
  readonly ca: string;
}

/** Starts the database as the services find it in production: made, migrated, with their roles. `setUp` has run. */
export async function startStandIn(
  places: Places,
  options: { port: number; log: (text: string) => void; durable?: boolean },
): Promise<StandIn> {
  const passwords = readPasswords(places);
  const ca = readFileSync(places.caCertificate, "utf8");
  const cluster = await startCluster({
    folder: places.postgres,
    port: options.port,
    superuserPassword: passwords["postgres"] ?? "",
    certificatePath: join(places.certificates, "database.pem"),
    keyPath: join(places.certificates, "database.key"),
    authority: ca,
    log: options.log,
    durable: options.durable ?? true,
  });
  const urlOf = (role: string, database: string) => `postgres://${role}:${passwords[role] ?? ""}@127.0.0.1:${options.port}/${database}`;
  try {
    await provision(cluster, passwords, ca);
    for (const { service, database } of databases) {
      const ran = await migrate({ url: urlOf(ownerOf(database), database), ca, folder: migrationsOf(service) });
      for (const name of ran) options.log(`${service}: migration ${name}\n`);
    }
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return { ...cluster, ca, serviceUrl: (database) => urlOf(roleOf(database), database) };
}

/** The folder of a service's migrations. */
export function migrationsOf(service: string): string {
  return join(import.meta.dirname, "..", "..", service, "migrations");
}
