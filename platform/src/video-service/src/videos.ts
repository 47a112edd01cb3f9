import { type Database, inTransaction, type PoolClient } from "@platform/service-kit";
import { type Row, toVideo, type Video, VIDEO_COLUMNS } from "./video-row.ts";

/** Where a page of the list begins. */
export interface ListPlace {
  readonly createdAt: string;
  readonly id: string;
}

/** What an upload turned out to be, and the key under which its bytes lie. */
export interface NewContent {
  readonly key: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** The videos in PostgreSQL. */
export interface Videos {
  create(video: { owner: string; ownerName: string | null; title: string; description: string }): Promise<Video>;
  find(id: string): Promise<Video | undefined>;
  /** Newest first: what is published, and what belongs to `viewer`. From the read replica: it may be a moment old. */
  list(page: { viewer: string; limit: number; after: ListPlace | undefined }): Promise<readonly Video[]>;
  /** Drafts with content, oldest first. */
  listWaiting(page: { limit: number; after: ListPlace | undefined }): Promise<readonly Video[]>;
  /** Undefined where the owner has no such draft (any more). `replaced` is the key of the content that was there. */
  setContent(id: string, owner: string, content: NewContent): Promise<{ video: Video; replaced: string | undefined } | undefined>;
  /** Undefined where there is no such video with content. Doing it twice changes nothing the second time. */
  publish(id: string): Promise<Video | undefined>;
  /** Undefined where there is no such video. */
  takeDown(id: string): Promise<Video | undefined>;
  /** Those of the keys that a video points to. */
  usedContents(keys: readonly string[]): Promise<ReadonlySet<string>>;
}

/** Told of what changes, in the transaction that changes it. */
export interface VideoEvents {
  published(video: Video, transaction: PoolClient): Promise<void>;
}

export function createVideos({ writer, reader }: Database, events: VideoEvents): Videos {
  const one = async (text: string, values: readonly unknown[]) => toVideo((await writer.query<Row>(text, [...values])).rows[0]);
  return {
    async create({ owner, ownerName, title, description }) {
      const insert = `INSERT INTO videos (owner, owner_name, title, description) VALUES ($1, $2, $3, $4) RETURNING ${VIDEO_COLUMNS}`;
      const video = await one(insert, [owner, ownerName, title, description]);
      if (video === undefined) throw new Error("the database returned no row for the new video");
      return video;
    },
    find: (id) => one(`SELECT ${VIDEO_COLUMNS} FROM videos WHERE id = $1`, [id]),
    async list({ viewer, limit, after }) {
      const { rows } = await reader.query<Row>(
        `SELECT ${VIDEO_COLUMNS} FROM videos
         WHERE (status = 'published' OR owner = $1) AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
         ORDER BY created_at DESC, id DESC LIMIT $4`,
        [viewer, after?.createdAt ?? null, after?.id ?? null, limit],
      );
      return rows.map((row) => toVideo(row));
    },
    async listWaiting({ limit, after }) {
      // Not from the replica: what has just been decided on must not be asked for again.
      const { rows } = await writer.query<Row>(
        `SELECT ${VIDEO_COLUMNS} FROM videos
         WHERE status = 'draft' AND content_key IS NOT NULL AND ($1::timestamptz IS NULL OR (created_at, id) > ($1, $2::uuid))
         ORDER BY created_at, id LIMIT $3`,
        [after?.createdAt ?? null, after?.id ?? null, limit],
      );
      return rows.map((row) => toVideo(row));
    },
    async setContent(id, owner, { key, mediaType, sizeBytes, sha256 }) {
      const { rows } = await writer.query<Row & { replaced: string | null }>(
        `WITH old AS (SELECT id, content_key FROM videos WHERE id = $1 AND owner = $2 AND status = 'draft' FOR UPDATE)
         UPDATE videos SET content_key = $3, content_type = $4, content_bytes = $5, content_sha256 = $6
         FROM old WHERE videos.id = old.id RETURNING ${VIDEO_COLUMNS.replaceAll(/\w+/g, "videos.$&")}, old.content_key AS replaced`,
        [id, owner, key, mediaType, sizeBytes, sha256],
      );
      const video = toVideo(rows[0]);
      return video === undefined ? undefined : { video, replaced: rows[0]?.replaced ?? undefined };
    },
    publish: (id) => inTransaction(writer, (transaction) => publish(transaction, events, id)),
    takeDown: (id) => one(`UPDATE videos SET status = 'taken-down' WHERE id = $1 RETURNING ${VIDEO_COLUMNS}`, [id]),
    async usedContents(keys) {
      const { rows } = await writer.query<{ key: string }>("SELECT content_key AS key FROM videos WHERE content_key = ANY ($1::uuid[])", [
        keys,
      ]);
      return new Set(rows.map(({ key }) => key));
    },
  };
}

/** The row's lock comes first: of two who publish at once the second finds it done, and nothing is told twice. */
async function publish(transaction: PoolClient, events: VideoEvents, id: string): Promise<Video | undefined> {
  const { rows } = await transaction.query<Row>(`SELECT ${VIDEO_COLUMNS} FROM videos WHERE id = $1 FOR UPDATE`, [id]);
  const found = toVideo(rows[0]);
  if (found === undefined || found.content === null) return undefined;
  if (found.status === "published") return found;
  const update = `UPDATE videos SET status = 'published', published_at = coalesce(published_at, now()) WHERE id = $1 RETURNING ${VIDEO_COLUMNS}`;
  const video = toVideo((await transaction.query<Row>(update, [id])).rows[0]);
  if (video !== undefined) await events.published(video, transaction);
  return video;
}
