import { connectionOf } from "@platform/service-kit";
import { databases, ownerOf, type Passwords, roleOf } from "@platform/setup";
import { Client, escapeIdentifier, escapeLiteral } from "pg";
import type { Cluster } from "./cluster.ts";

/** Makes each service's database, its owner, and the role that the service works with. What is there already is left, passwords are set anew. */
export async function provision(cluster: Cluster, passwords: Passwords, ca: string): Promise<void> {
  for (const { database } of databases) {
    const owner = ownerOf(database);
    const role = roleOf(database);
    await withClient(cluster.adminUrl(), ca, async (client) => {
      await setRole(client, owner, passwords[owner]);
      await setRole(client, role, passwords[role]);
      const { rowCount } = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [database]);
      if (rowCount === 0) await client.query(`CREATE DATABASE ${escapeIdentifier(database)} OWNER ${escapeIdentifier(owner)}`);
    });
    await withClient(cluster.adminUrl(database), ca, (client) => grant(client, database));
  }
}

async function setRole(client: Client, role: string, password: string | undefined): Promise<void> {
  if (password === undefined) throw new Error(`no password for the role ${role}`);
  const { rowCount } = await client.query("SELECT 1 FROM pg_roles WHERE rolname = $1", [role]);
  await client.query(`${rowCount === 0 ? "CREATE" : "ALTER"} ROLE ${escapeIdentifier(role)} LOGIN PASSWORD ${escapeLiteral(password)}`);
}

async function grant(client: Client, database: string): Promise<void> {
  const [name, owner, role] = [database, ownerOf(database), roleOf(database)].map(escapeIdentifier);
  await client.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
  await client.query(`GRANT CONNECT ON DATABASE ${name} TO ${role}`);
  await client.query(`ALTER SCHEMA public OWNER TO ${owner}`);
  await client.query(`GRANT USAGE ON SCHEMA public TO ${role}`);
  await client.query(
    `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${role}`,
  );
  await client.query(`ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA public GRANT USAGE ON SEQUENCES TO ${role}`);
}

async function withClient(url: string, ca: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client(connectionOf(url, ca));
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
