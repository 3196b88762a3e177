"""Tasks, events and messages and their rules, without I/O; imports only the leaves."""
