-- What agents tell beyond the API document: docs/contract.md.
ALTER TABLE tasks ADD COLUMN session TEXT CHECK (length(session) BETWEEN 1 AND 255);
ALTER TABLE tasks ADD COLUMN parent_task_id TEXT CHECK (length(parent_task_id) BETWEEN 1 AND 255);
-- A JSON list; NULL where it is empty, which is nearly everywhere.
ALTER TABLE tasks ADD COLUMN requests TEXT;
ALTER TABLE tasks ADD COLUMN stale_after_ms INTEGER CHECK (stale_after_ms > 0);
-- The time of the newest report that was applied, as it tells it.
ALTER TABLE tasks ADD COLUMN reported_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN silent_since INTEGER
  CHECK (silent_since IS NULL OR status = 'running');

-- The server tells of silence by an event, which changes nothing of the task's project: the trigger
-- is for reports only, which always set `updated_at`.
DROP TRIGGER task_updated;
CREATE TRIGGER task_updated AFTER UPDATE OF updated_at ON tasks
BEGIN
  UPDATE projects SET
    updated_at = NEW.updated_at,
    pending = pending + (NEW.status = 'pending') - (OLD.status = 'pending'),
    running = running + (NEW.status = 'running') - (OLD.status = 'running'),
    completed = completed + (NEW.status = 'completed') - (OLD.status = 'completed'),
    failed = failed + (NEW.status = 'failed') - (OLD.status = 'failed'),
    duration_ms = duration_ms + coalesce(NEW.duration_ms, 0) - coalesce(OLD.duration_ms, 0)
  WHERE id = NEW.project_id;
END;

-- Where the rows of the log stay as they are, its check changes in place: SQLite, "Making Other Kinds
-- Of Table Schema Changes".
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''task_error'')', '''task_error'', ''task_silent'')')
  WHERE type = 'table' AND name = 'events';
PRAGMA writable_schema = RESET;

-- When nobody could have been heard, which is no task's silence; and when the server last listened.
CREATE TABLE downtimes (
  began INTEGER PRIMARY KEY,
  ended INTEGER NOT NULL CHECK (ended >= began)
) STRICT;

ALTER TABLE marks ADD COLUMN alive_at INTEGER NOT NULL DEFAULT 0;

-- Keys of reports that say when they happened are kept for longer than others.
ALTER TABLE idempotency ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;
UPDATE idempotency SET expires_at = at + 86400000;
DROP INDEX idempotency_by_age;
CREATE INDEX idempotency_by_age ON idempotency (expires_at);

-- Whether some reports' metadata did not fit into the task's.
ALTER TABLE tasks ADD COLUMN metadata_truncated INTEGER NOT NULL DEFAULT 0
  CHECK (metadata_truncated IN (0, 1));
