"""No command can lose data: each attack of docs/reliability.md is tried.

What is found after a kill at each step of a command is in `tests/faults/test_kill_points.py`.
"""
