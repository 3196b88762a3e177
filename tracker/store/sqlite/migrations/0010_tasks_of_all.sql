-- Tasks over all projects, the newest first.
CREATE INDEX tasks_by_time ON tasks (started_at, id);

-- An agent's tasks, the newest first. So `agent` need not ride along with a project's any more.
CREATE INDEX tasks_by_agent ON tasks (project_id, agent, started_at, id);
DROP INDEX tasks_by_start;
CREATE INDEX tasks_by_start ON tasks (project_id, started_at, id);
