"""The store in SQLite, which only this room knows; it imports `config`, `domain` and the leaves."""
