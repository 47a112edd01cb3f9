import type { Pool } from "@platform/service-kit";
import type { Cursor } from "./cursor.ts";

export interface Video {
  readonly id: string;
  readonly owner: string;
  readonly title: string;
  readonly description: string;
  readonly status: "draft" | "published" | "taken-down";
  readonly createdAt: string;
  readonly publishedAt: string | null;
}

/** The videos in PostgreSQL. */
export interface Videos {
  create(video: { owner: string; title: string; description: string }): Promise<Video>;
  find(id: string): Promise<Video | undefined>;
  /** Newest first: what is published, and what belongs to `viewer`. */
  list(page: { viewer: string; limit: number; after: Cursor | undefined }): Promise<readonly Video[]>;
  /** Undefined where there is no such video. Doing it twice changes nothing the second time. */
  publish(id: string): Promise<Video | undefined>;
  takeDown(id: string): Promise<Video | undefined>;
}

interface Row {
  readonly id: string;
  readonly owner: string;
  readonly title: string;
  readonly description: string;
  readonly status: Video["status"];
  readonly created_at: Date;
  readonly published_at: Date | null;
}

const COLUMNS = "id, owner, title, description, status, created_at, published_at";

export function createVideos(pool: Pool): Videos {
  const one = async (text: string, values: readonly unknown[]): Promise<Video | undefined> => {
    const { rows } = await pool.query<Row>(text, [...values]);
    return rows[0] === undefined ? undefined : toVideo(rows[0]);
  };
  return {
    async create({ owner, title, description }) {
      const video = await one(`INSERT INTO videos (owner, title, description) VALUES ($1, $2, $3) RETURNING ${COLUMNS}`, [
        owner,
        title,
        description,
      ]);
      if (video === undefined) throw new Error("the database returned no row for the new video");
      return video;
    },
    find: (id) => one(`SELECT ${COLUMNS} FROM videos WHERE id = $1`, [id]),
    async list({ viewer, limit, after }) {
      const { rows } = await pool.query<Row>(
        `SELECT ${COLUMNS} FROM videos
         WHERE (status = 'published' OR owner = $1) AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
         ORDER BY created_at DESC, id DESC LIMIT $4`,
        [viewer, after?.createdAt ?? null, after?.id ?? null, limit],
      );
      return rows.map(toVideo);
    },
    publish: (id) =>
      one(`UPDATE videos SET status = 'published', published_at = coalesce(published_at, now()) WHERE id = $1 RETURNING ${COLUMNS}`, [id]),
    takeDown: (id) => one(`UPDATE videos SET status = 'taken-down' WHERE id = $1 RETURNING ${COLUMNS}`, [id]),
  };
}

function toVideo(row: Row): Video {
  const { id, owner, title, description, status } = row;
  return {
    id,
    owner,
    title,
    description,
    status,
    createdAt: row.created_at.toISOString(),
    publishedAt: row.published_at?.toISOString() ?? null,
  };
}
