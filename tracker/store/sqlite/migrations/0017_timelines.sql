-- A timeline counts all that ended in months, and all that is at work. The indexes tell enough, so that
-- no task has to be looked at.
DROP INDEX tasks_by_end;
CREATE INDEX tasks_by_end ON tasks (finished_at, id, started_at, agent, status)
  WHERE finished_at IS NOT NULL;
DROP INDEX tasks_by_status;
CREATE INDEX tasks_by_status ON tasks (project_id, status, started_at, id, agent);
