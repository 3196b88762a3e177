-- A key may be for some projects only, and then sees their figures only: so agents are counted by
-- project too, and what ended last is found within a project without a look at the others. `agents`
-- stays beside this: summing over all projects would take longer the more there are.
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

CREATE INDEX tasks_by_end_in_project ON tasks (project_id, finished_at, id)
  WHERE finished_at IS NOT NULL;

CREATE TRIGGER task_inserted_by AFTER INSERT ON tasks
BEGIN
  INSERT INTO project_agents VALUES (
    NEW.project_id, NEW.agent, 1,
    NEW.status = 'completed', NEW.status = 'failed', coalesce(NEW.duration_ms, 0)
  ) ON CONFLICT (project_id, name) DO UPDATE SET
    task_count = task_count + 1,
    completed = completed + excluded.completed,
    failed = failed + excluded.failed,
    duration_ms = duration_ms + excluded.duration_ms;
END;

CREATE TRIGGER task_updated_by AFTER UPDATE ON tasks
WHEN OLD.agent IS NEW.agent
  AND (OLD.status IS NOT NEW.status OR OLD.duration_ms IS NOT NEW.duration_ms)
BEGIN
  UPDATE project_agents SET
    completed = completed + (NEW.status = 'completed') - (OLD.status = 'completed'),
    failed = failed + (NEW.status = 'failed') - (OLD.status = 'failed'),
    duration_ms = duration_ms + coalesce(NEW.duration_ms, 0) - coalesce(OLD.duration_ms, 0)
  WHERE project_id = NEW.project_id AND name = NEW.agent;
END;

CREATE TRIGGER task_handed_over AFTER UPDATE ON tasks
WHEN OLD.agent IS NOT NEW.agent
BEGIN
  UPDATE project_agents SET
    task_count = task_count - 1,
    completed = completed - (OLD.status = 'completed'),
    failed = failed - (OLD.status = 'failed'),
    duration_ms = duration_ms - coalesce(OLD.duration_ms, 0)
  WHERE project_id = OLD.project_id AND name = OLD.agent;
  DELETE FROM project_agents
    WHERE project_id = OLD.project_id AND name = OLD.agent AND task_count = 0;
  INSERT INTO project_agents VALUES (
    NEW.project_id, NEW.agent, 1,
    NEW.status = 'completed', NEW.status = 'failed', coalesce(NEW.duration_ms, 0)
  ) ON CONFLICT (project_id, name) DO UPDATE SET
    task_count = task_count + 1,
    completed = completed + excluded.completed,
    failed = failed + excluded.failed,
    duration_ms = duration_ms + excluded.duration_ms;
END;

CREATE TRIGGER task_deleted_by AFTER DELETE ON tasks
BEGIN
  UPDATE project_agents SET
    task_count = task_count - 1,
    completed = completed - (OLD.status = 'completed'),
    failed = failed - (OLD.status = 'failed'),
    duration_ms = duration_ms - coalesce(OLD.duration_ms, 0)
  WHERE project_id = OLD.project_id AND name = OLD.agent;
  DELETE FROM project_agents
    WHERE project_id = OLD.project_id AND name = OLD.agent AND task_count = 0;
END;
