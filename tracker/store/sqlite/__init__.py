"""The store in SQLite, which only this room knows; it imports `config`, `domain`, the leaves
and what engines share."""
