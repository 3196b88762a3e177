-- Events that tell of deletions. They outlive the task or the project that they tell about, so they
-- stand apart, with numbers of the log's own sequence (tracker.store.sqlite.deletions).
CREATE TABLE deletions (
  id INTEGER PRIMARY KEY,
  project TEXT NOT NULL,
  task_id TEXT,
  type TEXT NOT NULL CHECK (type = iif(task_id IS NULL, 'project_deleted', 'task_deleted')),
  at INTEGER NOT NULL,
  data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;

CREATE INDEX deletions_by_project ON deletions (project);
CREATE INDEX deletions_by_task ON deletions (task_id);

-- Numbers are taken from it before the first event, too.
INSERT INTO sqlite_sequence (name, seq) SELECT 'events', 0
WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'events');
