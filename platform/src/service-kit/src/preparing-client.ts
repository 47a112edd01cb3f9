import { Client, type QueryConfig } from "pg";

/** Statements are written in the code, so that there are few. More than that are made at run time, and would fill the server's memory. */
const MAX_STATEMENTS = 300;

const names = new Map<string, string>();

/**
 * A connection on which a query with values is parsed and planned once, not each time: a named statement. (A pooler between must know of
 * them: PgBouncer does, from 1.21 on.)
 */
export class PreparingClient extends Client {
  // One signature in place of the dozen that pg's types have.
  override query: Client["query"] = ((query: unknown, values: unknown, ...rest: unknown[]) => {
    const run = super.query.bind(this) as (...given: unknown[]) => unknown;
    return run(toPrepared(query, values), values, ...rest);
  }) as Client["query"];
}

function toPrepared(query: unknown, values: unknown): unknown {
  if (typeof query !== "string" || !Array.isArray(values)) return query;
  const name = nameOf(query);
  return name === undefined ? query : ({ name, text: query } satisfies QueryConfig);
}

function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.size >= MAX_STATEMENTS) return known;
  const name = `s${names.size + 1}`;
  names.set(text, name);
  return name;
}
