-- Up Migration
CREATE TABLE rooms (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
  -- The `sub` of whoever made it; none for rooms of the platform.
  created_by text CHECK (length(created_by) BETWEEN 1 AND 255),
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  -- How many messages it has: the row is locked to take the next number, so that numbers have no gaps and follow the commits.
  last_seq bigint NOT NULL DEFAULT 0
);
CREATE INDEX rooms_newest ON rooms (created_at DESC, id DESC);

-- Names that chat has heard of by events.
CREATE TABLE people (
  subject text PRIMARY KEY CHECK (length(subject) BETWEEN 1 AND 255),
  display_name text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 200)
);

CREATE TABLE members (
  room_id uuid NOT NULL REFERENCES rooms ON DELETE CASCADE,
  subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
  joined_at timestamptz(3) NOT NULL DEFAULT now(),
  read_seq bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (room_id, subject)
);
CREATE INDEX members_by_subject ON members (subject);

CREATE TABLE messages (
  room_id uuid NOT NULL REFERENCES rooms ON DELETE CASCADE,
  seq bigint NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
  kind text NOT NULL CHECK (kind IN ('user', 'system')),
  author text CHECK (length(author) BETWEEN 1 AND 255),
  author_name text CHECK (length(author_name) BETWEEN 1 AND 200),
  text text NOT NULL CHECK (length(text) BETWEEN 1 AND 4000),
  -- Chosen by the client: a message that is sent again is stored once.
  client_id uuid,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (room_id, seq),
  CHECK ((kind = 'user') = (author IS NOT NULL))
);
CREATE UNIQUE INDEX messages_once ON messages (author, client_id) WHERE client_id IS NOT NULL;

-- Who is connected where. A replica that says nothing for a while is gone, and its connections with it.
CREATE TABLE replicas (
  id uuid PRIMARY KEY,
  seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE presence (
  connection uuid NOT NULL,
  room_id uuid NOT NULL REFERENCES rooms ON DELETE CASCADE,
  subject text NOT NULL,
  replica uuid NOT NULL REFERENCES replicas ON DELETE CASCADE,
  PRIMARY KEY (connection, room_id)
);
CREATE INDEX presence_by_room ON presence (room_id);
CREATE INDEX presence_by_replica ON presence (replica);

-- Everybody who signs up is in it; what happens on the platform is told here.
INSERT INTO rooms (id, name) VALUES ('00000000-0000-4000-8000-000000000001', 'Lobby');

-- Down Migration
DROP TABLE presence, replicas, messages, members, people, rooms;
