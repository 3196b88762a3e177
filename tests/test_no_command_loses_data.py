"""No command can lose data: backup, restore, export, import, prune and upgrades, each attacked.

The order is that of docs/reliability.md. What is found after a kill at each step of a command is in
`test_kill_points.py`.
"""

from __future__ import annotations

# --- Restore.


# --- Files that a command writes: never onto a database, never through a link.


# --- Import: every row is looked at as the API would, or nothing is taken.


# --- Numbers after a restore.


# --- A full disk.


# --- Two servers, one database.


# --- Who may read the files.


# --- Upgrades.
