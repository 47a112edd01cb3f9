import { readFileSync } from "node:fs";
import { type StandIn, startForTest } from "@platform/database/testing";
import { openPool, type Pool } from "@platform/service-kit";

const TABLES = ["outbox", "inbox", "failed_events"];

/** A throw-away PostgreSQL whose database `chats` holds the events' tables and what a test adds, and nothing of chat's. */
export async function startDatabase(statements = ""): Promise<{ readonly standIn: StandIn; readonly url: string; open(): Pool }> {
  const standIn = await startForTest();
  const url = standIn.serviceUrl("chats");
  const admin = poolOf(standIn.adminUrl("chats"), standIn.ca);
  for (const table of TABLES) await admin.query(`DROP TABLE IF EXISTS ${table}`);
  for (const file of ["outbox.sql", "inbox.sql"]) await admin.query(readFileSync(new URL(`../../${file}`, import.meta.url), "utf8"));
  if (statements !== "") await admin.query(statements);
  await admin.query("GRANT ALL ON ALL TABLES IN SCHEMA public TO chats_service");
  await admin.query("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO chats_service");
  await admin.end();
  return { standIn, url, open: () => poolOf(url, standIn.ca) };
}

export function poolOf(url: string, ca: string): Pool {
  return openPool({ url, ca, poolSize: 6, applicationName: "test", onIdleError: () => undefined });
}
