import type { Caller } from "@platform/service-kit";

export interface Content {
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** Base64url. */
  readonly sha256: string;
  /** Under which the store has the bytes; not for clients. */
  readonly key: string;
}

export interface Video {
  readonly id: string;
  readonly owner: string;
  readonly ownerName: string | null;
  readonly title: string;
  readonly description: string;
  readonly status: "draft" | "published" | "taken-down";
  readonly createdAt: string;
  readonly publishedAt: string | null;
  /** Null until it is uploaded. */
  readonly content: Content | null;
}

/** Whether somebody may see it: what is published, what is his own, and a moderator what he has to decide on. */
export function isVisible({ status, owner }: Video, { sub, role }: Pick<Caller, "sub" | "role">): boolean {
  return status === "published" || owner === sub || role === "admin";
}

/** A row of the table. */
export interface Row {
  readonly id: string;
  readonly owner: string;
  readonly owner_name: string | null;
  readonly title: string;
  readonly description: string;
  readonly status: Video["status"];
  readonly created_at: Date;
  readonly published_at: Date | null;
  readonly content_key: string | null;
  readonly content_type: string | null;
  /** A bigint comes as text. */
  readonly content_bytes: string | null;
  readonly content_sha256: string | null;
}

export const VIDEO_COLUMNS =
  "id, owner, owner_name, title, description, status, created_at, published_at, content_key, content_type, content_bytes, content_sha256";

export function toVideo(row: Row): Video;
export function toVideo(row: Row | undefined): Video | undefined;
export function toVideo(row: Row | undefined): Video | undefined {
  if (row === undefined) return undefined;
  const { id, owner, title, description, status } = row;
  return {
    id,
    owner,
    ownerName: row.owner_name,
    title,
    description,
    status,
    createdAt: row.created_at.toISOString(),
    publishedAt: row.published_at?.toISOString() ?? null,
    content: toContent(row),
  };
}

function toContent({ content_key: key, content_type: mediaType, content_bytes: bytes, content_sha256: sha256 }: Row): Content | null {
  if (key === null || mediaType === null || bytes === null || sha256 === null) return null;
  return { key, mediaType, sizeBytes: Number(bytes), sha256 };
}
