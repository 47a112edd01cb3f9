-- Up Migration
CREATE TABLE videos (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  -- The `sub` of whoever created it.
  owner text NOT NULL CHECK (length(owner) BETWEEN 1 AND 255),
  title text NOT NULL CHECK (length(title) BETWEEN 1 AND 120),
  description text NOT NULL DEFAULT '' CHECK (length(description) <= 5000),
  status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'taken-down')),
  -- Microseconds don't survive JSON; the order of a list must.
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  published_at timestamptz(3)
);
CREATE INDEX videos_newest ON videos (created_at DESC, id DESC);

-- Down Migration
DROP TABLE videos;
