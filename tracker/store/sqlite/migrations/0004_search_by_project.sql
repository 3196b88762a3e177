-- The same words as in `search`, each after its project's number, so that a search within a project
-- reads that project's words alone (tracker.store.search). It follows `search` when few reports
-- come, and until it has caught up, as after this upgrade, `search` is asked instead.
CREATE VIRTUAL TABLE project_search USING fts5 (
  words,
  content = '', contentless_delete = 1,
  tokenize = 'unicode61 remove_diacritics 2'
);

INSERT INTO project_search (project_search, rank) VALUES ('automerge', 0), ('usermerge', 8);

ALTER TABLE marks ADD COLUMN project_searched INTEGER NOT NULL DEFAULT 0;

CREATE TRIGGER task_forgotten AFTER DELETE ON tasks
BEGIN
  DELETE FROM project_search WHERE rowid = OLD.id;
END;
