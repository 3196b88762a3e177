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
