"""Agent Task Tracker: agents report, SQLite keeps it, everyone sees it live."""

__version__ = "1.0.0"
