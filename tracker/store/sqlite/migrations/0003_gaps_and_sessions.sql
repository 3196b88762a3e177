-- Ranges of numbers that no event has or will have: what a restored database has jumped over, so that
-- no number is given twice. A cursor in one is from the log that the restore replaced.
CREATE TABLE gaps (
  first INTEGER PRIMARY KEY CHECK (first >= 1),
  last INTEGER NOT NULL CHECK (last >= first)
) STRICT;

-- What `/db-check` writes: as much as a report, so that a disk too full for one is too full for it.
CREATE TABLE probe (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  written BLOB NOT NULL
) STRICT;

INSERT INTO probe VALUES (1, x'');

-- Browser sessions that were signed out before their time.
CREATE TABLE revoked_sessions (
  id TEXT PRIMARY KEY,
  ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Part of what every session's signature covers: another one ends them all.
ALTER TABLE marks ADD COLUMN session_epoch TEXT NOT NULL DEFAULT '';
