import { randomUUID } from "node:crypto";
import type { Database, Pool } from "@platform/service-kit";
import type { ByteRange, ContentStore } from "./store.ts";

/** One row's bytes, and what a slow reader makes this process hold. */
export const CHUNK_BYTES = 256 * 1024;

/**
 * Contents as rows of chunks in PostgreSQL: seen by every replica, and backed up with what points to them. No transaction and no connection
 * is held while a client is slow.
 */
export function createPostgresStore({ writer, reader }: Database): ContentStore {
  const remove = async (key: string) => void (await writer.query("DELETE FROM contents WHERE key = $1", [key]));
  return {
    remove,
    async write(bytes) {
      const key = randomUUID();
      await writer.query("INSERT INTO contents (key) VALUES ($1)", [key]);
      try {
        let number = 0;
        for await (const chunk of inChunks(bytes)) {
          await writer.query("INSERT INTO content_chunks (key, number, bytes) VALUES ($1, $2, $3)", [key, number, chunk]);
          number += 1;
        }
      } catch (error) {
        // What can't be removed now is found by its age later.
        await remove(key).catch(() => undefined);
        throw error;
      }
      return key;
    },
    async *read(key, range) {
      for (let number = Math.floor(range.start / CHUNK_BYTES); number * CHUNK_BYTES <= range.end; number++) {
        // A replica may lag behind the video that points here.
        const part = (await readChunk(reader, key, number, range)) ?? (await readChunk(writer, key, number, range));
        if (part === undefined) throw new Error(`content ${key} ends before byte ${range.end}`);
        yield part;
      }
    },
    async keysBefore(time) {
      const { rows } = await writer.query<{ key: string }>(
        "SELECT key FROM contents WHERE created_at < $1 ORDER BY created_at LIMIT 1000",
        [time],
      );
      return rows.map(({ key }) => key);
    },
  };
}

async function readChunk(pool: Pool, key: string, number: number, range: ByteRange): Promise<Buffer | undefined> {
  const from = Math.max(range.start - number * CHUNK_BYTES, 0);
  const length = Math.min(range.end + 1 - number * CHUNK_BYTES, CHUNK_BYTES) - from;
  // Bytes come as text in any case: as base64 a third less than in hexadecimal.
  const { rows } = await pool.query<{ bytes: string }>(
    "SELECT encode(substring(bytes FROM $3::integer + 1 FOR $4::integer), 'base64') AS bytes FROM content_chunks WHERE key = $1 AND number = $2",
    [key, number, from, length],
  );
  const part = rows[0] && Buffer.from(rows[0].bytes, "base64");
  return part?.length === length ? part : undefined;
}

/** The same bytes in pieces of `CHUNK_BYTES`; the last one may be shorter. */
async function* inChunks(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  let held: Uint8Array[] = [];
  let size = 0;
  for await (const piece of bytes) {
    held.push(piece);
    size += piece.length;
    if (size < CHUNK_BYTES) continue;
    const all = Buffer.concat(held, size);
    const whole = size - (size % CHUNK_BYTES);
    for (let at = 0; at < whole; at += CHUNK_BYTES) yield all.subarray(at, at + CHUNK_BYTES);
    held = [all.subarray(whole)];
    size -= whole;
  }
  if (size > 0) yield Buffer.concat(held, size);
}
