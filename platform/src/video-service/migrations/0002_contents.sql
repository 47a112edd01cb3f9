-- Up Migration
-- Bytes of uploads. A row is never changed: what replaces a content is another one, and a video points to the one that holds.
CREATE TABLE contents (
  key uuid PRIMARY KEY,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX contents_by_age ON contents (created_at);

CREATE TABLE content_chunks (
  key uuid NOT NULL REFERENCES contents ON DELETE CASCADE,
  number integer NOT NULL CHECK (number >= 0),
  bytes bytea NOT NULL,
  PRIMARY KEY (key, number)
);
-- Uncompressed, so that a part of a chunk is read without the rest.
ALTER TABLE content_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;

ALTER TABLE videos
  -- No reference to contents: the bytes may lie elsewhere.
  ADD COLUMN content_key uuid UNIQUE,
  ADD COLUMN content_type text CHECK (length(content_type) <= 100),
  ADD COLUMN content_bytes bigint CHECK (content_bytes > 0),
  ADD COLUMN content_sha256 text CHECK (length(content_sha256) = 43),
  ADD CHECK (num_nulls(content_key, content_type, content_bytes, content_sha256) IN (0, 4));

-- Down Migration
ALTER TABLE videos DROP COLUMN content_key, DROP COLUMN content_type, DROP COLUMN content_bytes, DROP COLUMN content_sha256;
DROP TABLE content_chunks;
DROP TABLE contents;
