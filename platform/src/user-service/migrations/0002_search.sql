-- Up Migration
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- What two names have in common that differ in case or width only: "ＡＬＩＣＥ" and "alice".
CREATE FUNCTION folded(name text) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN lower(normalize(name, NFKC) COLLATE "pg_c_utf8") COLLATE "C";

ALTER TABLE users ADD COLUMN search_name text COLLATE "C" GENERATED ALWAYS AS (folded(display_name)) STORED;
CREATE INDEX users_search ON users USING gin (search_name gin_trgm_ops);
CREATE INDEX users_by_name ON users (search_name, id);

-- Down Migration
ALTER TABLE users DROP COLUMN search_name;
DROP FUNCTION folded;
DROP EXTENSION pg_trgm;
