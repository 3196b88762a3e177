-- Times are milliseconds since the epoch (UTC), durations milliseconds, days counted from the epoch.

CREATE TABLE projects (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 255),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  -- Kept by the triggers below, so that statistics cost the same at a million tasks as at ten.
  pending INTEGER NOT NULL DEFAULT 0 CHECK (pending >= 0),
  running INTEGER NOT NULL DEFAULT 0 CHECK (running >= 0),
  completed INTEGER NOT NULL DEFAULT 0 CHECK (completed >= 0),
  failed INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
  duration_ms INTEGER NOT NULL DEFAULT 0 CHECK (duration_ms >= 0)
) STRICT;

CREATE TABLE tasks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  task_id TEXT NOT NULL CHECK (length(task_id) BETWEEN 1 AND 255),
  title TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 1000),
  agent TEXT NOT NULL CHECK (length(agent) BETWEEN 1 AND 255),
  status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed')),
  progress REAL NOT NULL CHECK (progress BETWEEN 0 AND 100),
  attempt INTEGER NOT NULL CHECK (attempt >= 1),
  started_at INTEGER NOT NULL,
  finished_at INTEGER,
  duration_ms INTEGER CHECK (duration_ms >= 0),
  message TEXT,
  result TEXT,
  error_type TEXT,
  error_message TEXT,
  stack_trace TEXT,
  metadata TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (task_id, project_id),
  CHECK ((status IN ('completed', 'failed')) = (finished_at IS NOT NULL)),
  CHECK ((finished_at IS NULL) = (duration_ms IS NULL))
) STRICT;

-- A page of a project's tasks, newest first; `agent` rides along so that filtering by it reads
-- the index alone.
CREATE INDEX tasks_by_start ON tasks (project_id, started_at, id, agent);
CREATE INDEX tasks_by_status ON tasks (project_id, status, started_at, id);

-- What ended last, over all projects.
CREATE INDEX tasks_by_end ON tasks (finished_at, id) WHERE finished_at IS NOT NULL;

CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  task INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  type TEXT NOT NULL
    CHECK (type IN ('task_started', 'task_status_updated', 'task_finished', 'task_error')),
  at INTEGER NOT NULL,
  data TEXT NOT NULL
) STRICT;

CREATE INDEX events_by_task ON events (task);
CREATE INDEX events_by_project ON events (project_id);

CREATE TABLE agents (
  name TEXT PRIMARY KEY,
  task_count INTEGER NOT NULL CHECK (task_count >= 0),
  completed INTEGER NOT NULL CHECK (completed >= 0),
  failed INTEGER NOT NULL CHECK (failed >= 0),
  duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE days (
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  day INTEGER NOT NULL,
  completed INTEGER NOT NULL CHECK (completed >= 0),
  failed INTEGER NOT NULL CHECK (failed >= 0),
  PRIMARY KEY (project_id, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
  key TEXT PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 255),
  fingerprint BLOB NOT NULL,
  event_id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  created INTEGER NOT NULL CHECK (created IN (0, 1)),
  duration_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_age ON idempotency (at);

-- One row: how far the search index has followed the log, and up to which id events were pruned.
CREATE TABLE marks (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  searched INTEGER NOT NULL,
  pruned INTEGER NOT NULL
) STRICT;

INSERT INTO marks VALUES (1, 0, 0);

-- Follows the log within a second (tracker.store.search), so that it costs a report nothing.
CREATE VIRTUAL TABLE search USING fts5 (
  title, task_id, agent, result, error,
  content = '', contentless_delete = 1,
  tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER task_inserted AFTER INSERT ON tasks
BEGIN
  UPDATE projects SET
    updated_at = NEW.updated_at,
    pending = pending + (NEW.status = 'pending'),
    running = running + (NEW.status = 'running'),
    completed = completed + (NEW.status = 'completed'),
    failed = failed + (NEW.status = 'failed'),
    duration_ms = duration_ms + coalesce(NEW.duration_ms, 0)
  WHERE id = NEW.project_id;
  INSERT INTO agents VALUES (
    NEW.agent, 1, NEW.status = 'completed', NEW.status = 'failed', coalesce(NEW.duration_ms, 0)
  ) ON CONFLICT (name) DO UPDATE SET
    task_count = task_count + 1,
    completed = completed + excluded.completed,
    failed = failed + excluded.failed,
    duration_ms = duration_ms + excluded.duration_ms;
  INSERT INTO days
    SELECT NEW.project_id, NEW.finished_at / 86400000,
      NEW.status = 'completed', NEW.status = 'failed'
    WHERE NEW.finished_at IS NOT NULL
    ON CONFLICT (project_id, day) DO UPDATE SET
      completed = completed + excluded.completed, failed = failed + excluded.failed;
END;

CREATE TRIGGER task_updated AFTER UPDATE ON tasks
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

CREATE TRIGGER task_recounted AFTER UPDATE ON tasks
WHEN OLD.agent IS NOT NEW.agent
  OR OLD.status IS NOT NEW.status
  OR OLD.duration_ms IS NOT NEW.duration_ms
  OR OLD.finished_at IS NOT NEW.finished_at
BEGIN
  UPDATE agents SET
    task_count = task_count - 1,
    completed = completed - (OLD.status = 'completed'),
    failed = failed - (OLD.status = 'failed'),
    duration_ms = duration_ms - coalesce(OLD.duration_ms, 0)
  WHERE name = OLD.agent;
  INSERT INTO agents VALUES (
    NEW.agent, 1, NEW.status = 'completed', NEW.status = 'failed', coalesce(NEW.duration_ms, 0)
  ) ON CONFLICT (name) DO UPDATE SET
    task_count = task_count + 1,
    completed = completed + excluded.completed,
    failed = failed + excluded.failed,
    duration_ms = duration_ms + excluded.duration_ms;
  DELETE FROM agents WHERE name = OLD.agent AND task_count = 0;
  UPDATE days SET
    completed = completed - (OLD.status = 'completed'),
    failed = failed - (OLD.status = 'failed')
  WHERE project_id = OLD.project_id AND day = OLD.finished_at / 86400000;
  INSERT INTO days
    SELECT NEW.project_id, NEW.finished_at / 86400000,
      NEW.status = 'completed', NEW.status = 'failed'
    WHERE NEW.finished_at IS NOT NULL
    ON CONFLICT (project_id, day) DO UPDATE SET
      completed = completed + excluded.completed, failed = failed + excluded.failed;
  DELETE FROM days
    WHERE project_id = OLD.project_id AND day = OLD.finished_at / 86400000
      AND completed = 0 AND failed = 0;
END;

CREATE TRIGGER task_deleted AFTER DELETE ON tasks
BEGIN
  UPDATE projects SET
    pending = pending - (OLD.status = 'pending'),
    running = running - (OLD.status = 'running'),
    completed = completed - (OLD.status = 'completed'),
    failed = failed - (OLD.status = 'failed'),
    duration_ms = duration_ms - coalesce(OLD.duration_ms, 0)
  WHERE id = OLD.project_id;
  UPDATE agents SET
    task_count = task_count - 1,
    completed = completed - (OLD.status = 'completed'),
    failed = failed - (OLD.status = 'failed'),
    duration_ms = duration_ms - coalesce(OLD.duration_ms, 0)
  WHERE name = OLD.agent;
  DELETE FROM agents WHERE name = OLD.agent AND task_count = 0;
  UPDATE days SET
    completed = completed - (OLD.status = 'completed'),
    failed = failed - (OLD.status = 'failed')
  WHERE project_id = OLD.project_id AND day = OLD.finished_at / 86400000;
  DELETE FROM days
    WHERE project_id = OLD.project_id AND day = OLD.finished_at / 86400000
      AND completed = 0 AND failed = 0;
  DELETE FROM search WHERE rowid = OLD.id;
END;
