-- Events that have been handled; written in the transaction of what they bring about.
CREATE TABLE inbox (
  consumer text NOT NULL,
  event_id text NOT NULL,
  handled_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_oldest ON inbox (handled_at);

-- Events whose handler fails. After some attempts they are left here, for a person to look at.
CREATE TABLE failed_events (
  consumer text NOT NULL,
  event_id text NOT NULL,
  type text NOT NULL,
  body text NOT NULL,
  attempts int NOT NULL,
  error text NOT NULL,
  failed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, event_id)
);
