-- What agents' models have used, as told: running totals of an attempt; NULL: not told. `shown`: it
-- counts, for no source that goes before has told of the same model (tracker.domain.usage).
CREATE TABLE usage (
  task INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  source TEXT NOT NULL CHECK (source IN ('report', 'otlp', 'hook')),
  model TEXT NOT NULL CHECK (length(model) <= 255),  -- empty: not told
  shown INTEGER NOT NULL CHECK (shown IN (0, 1)),
  input_tokens INTEGER CHECK (input_tokens >= 0),
  output_tokens INTEGER CHECK (output_tokens >= 0),
  cache_read_tokens INTEGER CHECK (cache_read_tokens >= 0),
  cache_write_tokens INTEGER CHECK (cache_write_tokens >= 0),
  cost_micros INTEGER CHECK (cost_micros >= 0),
  PRIMARY KEY (task, attempt, source, model)
) STRICT, WITHOUT ROWID;

-- What a task has added to the sums, on which day and reported by whom: deleting it takes that back.
CREATE TABLE usage_shares (
  task INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  model TEXT NOT NULL,
  day INTEGER NOT NULL,
  agent TEXT NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  cost_micros INTEGER NOT NULL,
  PRIMARY KEY (task, model, day, agent)
) STRICT, WITHOUT ROWID;

-- The sums by agent, model, day and session; project 0: over all projects, by agent and model. So
-- that statistics cost the same at a million tasks as at ten. `name` of a day is its number.
CREATE TABLE usage_sums (
  project_id INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('agent', 'model', 'day', 'session')),
  name ANY NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  cost_micros INTEGER NOT NULL,
  PRIMARY KEY (project_id, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER project_deleted AFTER DELETE ON projects
BEGIN
  DELETE FROM usage_sums WHERE project_id = OLD.id;
END;

-- Who started whom.
CREATE INDEX tasks_by_parent ON tasks (project_id, parent_task_id)
  WHERE parent_task_id IS NOT NULL;

-- Conversations and runs that tasks belong to, kept by the triggers below. Not the browsers'
-- sessions. Times are those of reports, as they tell them.
CREATE TABLE agent_sessions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  session TEXT NOT NULL CHECK (length(session) BETWEEN 1 AND 255),
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  pending INTEGER NOT NULL CHECK (pending >= 0),
  running INTEGER NOT NULL CHECK (running >= 0),
  completed INTEGER NOT NULL CHECK (completed >= 0),
  failed INTEGER NOT NULL CHECK (failed >= 0),
  UNIQUE (project_id, session)
) STRICT;

INSERT INTO agent_sessions
  (project_id, session, first_at, last_at, pending, running, completed, failed)
  SELECT project_id, session, min(created_at), max(reported_at),
    sum(status = 'pending'), sum(status = 'running'),
    sum(status = 'completed'), sum(status = 'failed')
  FROM tasks WHERE session IS NOT NULL GROUP BY project_id, session;

-- Those that reported last, of all projects and of one; and of them those that are at work.
CREATE INDEX agent_sessions_by_time ON agent_sessions (last_at, id);
CREATE INDEX agent_sessions_in_project ON agent_sessions (project_id, last_at, id);
CREATE INDEX agent_sessions_at_work ON agent_sessions (last_at, id)
  WHERE pending + running > 0;
CREATE INDEX agent_sessions_at_work_in_project ON agent_sessions (project_id, last_at, id)
  WHERE pending + running > 0;

-- A session's tasks, the newest first, and those of them that have not ended.
CREATE INDEX tasks_by_session ON tasks (project_id, session, started_at, id)
  WHERE session IS NOT NULL;
CREATE INDEX tasks_at_work_by_session ON tasks (project_id, session, started_at, id)
  WHERE session IS NOT NULL AND finished_at IS NULL;

-- How many there are, and how many are at work, so that no list has to count them.
ALTER TABLE projects ADD COLUMN sessions INTEGER NOT NULL DEFAULT 0 CHECK (sessions >= 0);
ALTER TABLE projects ADD COLUMN sessions_at_work INTEGER NOT NULL DEFAULT 0
  CHECK (sessions_at_work >= 0);

UPDATE projects SET
  sessions = (SELECT count(*) FROM agent_sessions WHERE project_id = projects.id),
  sessions_at_work = (
    SELECT count(*) FROM agent_sessions WHERE project_id = projects.id AND pending + running > 0
  );

CREATE TRIGGER session_begun AFTER INSERT ON agent_sessions
BEGIN
  UPDATE projects SET
    sessions = sessions + 1,
    sessions_at_work = sessions_at_work + (NEW.pending + NEW.running > 0)
  WHERE id = NEW.project_id;
END;

CREATE TRIGGER session_goes_on AFTER UPDATE ON agent_sessions
WHEN (OLD.pending + OLD.running > 0) <> (NEW.pending + NEW.running > 0)
BEGIN
  UPDATE projects SET
    sessions_at_work = sessions_at_work
      + (NEW.pending + NEW.running > 0) - (OLD.pending + OLD.running > 0)
  WHERE id = NEW.project_id;
END;

CREATE TRIGGER session_gone AFTER DELETE ON agent_sessions
BEGIN
  UPDATE projects SET
    sessions = sessions - 1,
    sessions_at_work = sessions_at_work - (OLD.pending + OLD.running > 0)
  WHERE id = OLD.project_id;
  DELETE FROM usage_sums
    WHERE project_id = OLD.project_id AND kind = 'session' AND name = OLD.session;
END;

CREATE TRIGGER task_inserted_in_session AFTER INSERT ON tasks
WHEN NEW.session IS NOT NULL
BEGIN
  INSERT INTO agent_sessions
    (project_id, session, first_at, last_at, pending, running, completed, failed)
  VALUES (
    NEW.project_id, NEW.session, min(NEW.created_at, NEW.reported_at), NEW.reported_at,
    NEW.status = 'pending', NEW.status = 'running',
    NEW.status = 'completed', NEW.status = 'failed'
  ) ON CONFLICT (project_id, session) DO UPDATE SET
    first_at = min(first_at, excluded.first_at),
    last_at = max(last_at, excluded.last_at),
    pending = pending + excluded.pending,
    running = running + excluded.running,
    completed = completed + excluded.completed,
    failed = failed + excluded.failed;
END;

-- Reports alone set `updated_at`.
CREATE TRIGGER task_updated_in_session AFTER UPDATE OF updated_at ON tasks
WHEN NEW.session IS NOT NULL AND OLD.session IS NEW.session
BEGIN
  UPDATE agent_sessions SET
    last_at = max(last_at, NEW.reported_at),
    pending = pending + (NEW.status = 'pending') - (OLD.status = 'pending'),
    running = running + (NEW.status = 'running') - (OLD.status = 'running'),
    completed = completed + (NEW.status = 'completed') - (OLD.status = 'completed'),
    failed = failed + (NEW.status = 'failed') - (OLD.status = 'failed')
  WHERE project_id = NEW.project_id AND session = NEW.session;
END;

CREATE TRIGGER task_changed_session AFTER UPDATE OF session ON tasks
WHEN OLD.session IS NOT NEW.session
BEGIN
  UPDATE agent_sessions SET
    pending = pending - (OLD.status = 'pending'),
    running = running - (OLD.status = 'running'),
    completed = completed - (OLD.status = 'completed'),
    failed = failed - (OLD.status = 'failed')
  WHERE project_id = OLD.project_id AND session = OLD.session;
  DELETE FROM agent_sessions
    WHERE project_id = OLD.project_id AND session = OLD.session
      AND pending + running + completed + failed = 0;
  INSERT INTO agent_sessions
    (project_id, session, first_at, last_at, pending, running, completed, failed)
  SELECT
    NEW.project_id, NEW.session, min(NEW.created_at, NEW.reported_at), NEW.reported_at,
    NEW.status = 'pending', NEW.status = 'running',
    NEW.status = 'completed', NEW.status = 'failed'
  WHERE NEW.session IS NOT NULL
  ON CONFLICT (project_id, session) DO UPDATE SET
    first_at = min(first_at, excluded.first_at),
    last_at = max(last_at, excluded.last_at),
    pending = pending + excluded.pending,
    running = running + excluded.running,
    completed = completed + excluded.completed,
    failed = failed + excluded.failed;
END;

CREATE TRIGGER task_deleted_in_session AFTER DELETE ON tasks
WHEN OLD.session IS NOT NULL
BEGIN
  UPDATE agent_sessions SET
    pending = pending - (OLD.status = 'pending'),
    running = running - (OLD.status = 'running'),
    completed = completed - (OLD.status = 'completed'),
    failed = failed - (OLD.status = 'failed')
  WHERE project_id = OLD.project_id AND session = OLD.session;
  DELETE FROM agent_sessions
    WHERE project_id = OLD.project_id AND session = OLD.session
      AND pending + running + completed + failed = 0;
END;
