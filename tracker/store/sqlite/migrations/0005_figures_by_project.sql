-- A key may be for some projects only, and then sees their figures only: so agents are counted by
-- project, and what ended last is found within a project without a look at the others.
CREATE TABLE project_agents (
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  task_count INTEGER NOT NULL CHECK (task_count >= 0),
  completed INTEGER NOT NULL CHECK (completed >= 0),
  failed INTEGER NOT NULL CHECK (failed >= 0),
  duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0),
  PRIMARY KEY (project_id, name)
) STRICT, WITHOUT ROWID;

INSERT INTO project_agents
  SELECT project_id, agent, count(*), sum(status = 'completed'), sum(status = 'failed'),
    coalesce(sum(duration_ms), 0)
  FROM tasks GROUP BY project_id, agent;

DROP TRIGGER task_inserted;
DROP TRIGGER task_recounted;
DROP TRIGGER task_deleted;
DROP TABLE agents;
ALTER TABLE project_agents RENAME TO agents;

CREATE INDEX tasks_by_end_in_project ON tasks (project_id, finished_at, id)
  WHERE finished_at IS NOT NULL;

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
    NEW.project_id, NEW.agent, 1,
    NEW.status = 'completed', NEW.status = 'failed', coalesce(NEW.duration_ms, 0)
  ) ON CONFLICT (project_id, name) DO UPDATE SET
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
  WHERE project_id = OLD.project_id AND name = OLD.agent;
  INSERT INTO agents VALUES (
    NEW.project_id, NEW.agent, 1,
    NEW.status = 'completed', NEW.status = 'failed', coalesce(NEW.duration_ms, 0)
  ) ON CONFLICT (project_id, name) DO UPDATE SET
    task_count = task_count + 1,
    completed = completed + excluded.completed,
    failed = failed + excluded.failed,
    duration_ms = duration_ms + excluded.duration_ms;
  DELETE FROM agents WHERE project_id = OLD.project_id AND name = OLD.agent AND task_count = 0;
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
  WHERE project_id = OLD.project_id AND name = OLD.agent;
  DELETE FROM agents WHERE project_id = OLD.project_id AND name = OLD.agent AND task_count = 0;
  UPDATE days SET
    completed = completed - (OLD.status = 'completed'),
    failed = failed - (OLD.status = 'failed')
  WHERE project_id = OLD.project_id AND day = OLD.finished_at / 86400000;
  DELETE FROM days
    WHERE project_id = OLD.project_id AND day = OLD.finished_at / 86400000
      AND completed = 0 AND failed = 0;
  DELETE FROM search WHERE rowid = OLD.id;
END;
