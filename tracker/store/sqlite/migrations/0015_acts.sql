-- What a person has done about a task that needs one (tracker.domain.acts).
ALTER TABLE tasks ADD COLUMN acknowledged_at INTEGER;
ALTER TABLE tasks ADD COLUMN snoozed_until INTEGER;

-- See the seventh migration.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(
    sql, '''task_silent'')', '''task_silent'', ''task_acknowledged'', ''task_snoozed'')'
  ) WHERE type = 'table' AND name = 'events';
PRAGMA writable_schema = RESET;
