-- Up Migration
-- What the token of whoever created it said; null for older rows, and where the token had no name.
ALTER TABLE videos ADD COLUMN owner_name text CHECK (length(owner_name) BETWEEN 1 AND 200);
-- What waits for a moderator.
CREATE INDEX videos_waiting ON videos (created_at, id) WHERE status = 'draft' AND content_key IS NOT NULL;

-- Down Migration
DROP INDEX videos_waiting;
ALTER TABLE videos DROP COLUMN owner_name;
