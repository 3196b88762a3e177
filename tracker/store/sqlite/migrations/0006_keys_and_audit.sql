-- Keys of one's own. The name is free again once a key is revoked; the number never is.
CREATE TABLE keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  role TEXT NOT NULL CHECK (role IN ('report', 'read', 'answer', 'admin')),
  all_projects INTEGER NOT NULL CHECK (all_projects IN (0, 1)),
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER,
  last_used_from TEXT,
  CHECK (role <> 'admin' OR all_projects),
  CHECK ((last_used_at IS NULL) = (last_used_from IS NULL))
) STRICT;

-- By name: a project may be deleted and come back, or not be there yet.
CREATE TABLE key_projects (
  key_id INTEGER NOT NULL REFERENCES keys (id) ON DELETE CASCADE,
  project TEXT NOT NULL CHECK (length(project) BETWEEN 1 AND 255),
  PRIMARY KEY (key_id, project)
) STRICT, WITHOUT ROWID;

-- SHA-256 of what is shown once. There are several while a key is rotated.
CREATE TABLE key_secrets (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key_id INTEGER NOT NULL REFERENCES keys (id) ON DELETE CASCADE,
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
  expires_at INTEGER
) STRICT;

CREATE INDEX key_secrets_by_key ON key_secrets (key_id);

-- Who did what. Deeds of the same kind by the same within an hour are one row.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  times INTEGER NOT NULL CHECK (times >= 1),
  action TEXT NOT NULL,
  name TEXT NOT NULL,
  address TEXT NOT NULL,
  subject TEXT NOT NULL,
  details TEXT NOT NULL
) STRICT;

CREATE INDEX audit_by_age ON audit (last_at);

-- Idempotency keys belong to the API key that sent them; 0: the master key.
CREATE TABLE owned_idempotency (
  owner INTEGER NOT NULL,
  key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  fingerprint BLOB NOT NULL,
  event_id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  created INTEGER NOT NULL CHECK (created IN (0, 1)),
  duration_ms INTEGER,
  PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

INSERT INTO owned_idempotency
  SELECT 0, key, fingerprint, event_id, at, created, duration_ms FROM idempotency;
DROP TABLE idempotency;
ALTER TABLE owned_idempotency RENAME TO idempotency;
CREATE INDEX idempotency_by_age ON idempotency (at);
