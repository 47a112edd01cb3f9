import { randomBytes } from "node:crypto";
import * as z from "zod";
import { readIfThere, writePrivate } from "./files.ts";
import type { Places } from "./places.ts";

/** The services with a database of their own. */
export const databases = [
  { service: "user-service", database: "users" },
  { service: "video-service", database: "videos" },
  { service: "chat-service", database: "chats" },
] as const;

/** The services that speak to the message broker, each as a user of its own, and the one who makes the stream. */
export const brokerServices = ["user-service", "video-service", "chat-service"] as const;
export const brokerAdmin = "broker_admin";

const Passwords = z.record(z.string(), z.string().min(32));

/**
 * Passwords by role. PostgreSQL's: the superuser, and for each service an owner (migrations) and the service's own role. The broker's: its
 * administrator, and a user for each service.
 */
export type Passwords = Readonly<Record<string, string>>;

/** Finds the passwords, and makes those that are missing: what exists is in use, and never changes here. */
export function openPasswords(places: Places): Passwords {
  const text = readIfThere(places.passwords);
  const known = text === undefined ? {} : Passwords.parse(JSON.parse(text));
  const databaseRoles = databases.flatMap(({ database }) => [ownerOf(database), roleOf(database)]);
  const roles = ["postgres", ...databaseRoles, brokerAdmin, ...brokerServices.map(brokerUserOf)];
  const passwords = Object.fromEntries(roles.map((role) => [role, known[role] ?? randomBytes(32).toString("base64url")]));
  writePrivate(places.passwords, `${JSON.stringify({ ...known, ...passwords }, undefined, 2)}\n`);
  return passwords;
}

/** Reads the passwords that setup made. @throws where it has not run. */
export function readPasswords(places: Places): Passwords {
  const text = readIfThere(places.passwords);
  if (text === undefined) throw new Error(`no ${places.passwords}: run "node scripts/setup.ts" first`);
  return Passwords.parse(JSON.parse(text));
}

/** The role that owns a database's tables and runs its migrations. */
export function ownerOf(database: string): string {
  return `${database}_owner`;
}

/** The role that a service works with: it reads and writes rows, and changes no table. */
export function roleOf(database: string): string {
  return `${database}_service`;
}

/** The key of a service's password for the broker. */
export function brokerUserOf(service: string): string {
  return `broker_${service}`;
}
