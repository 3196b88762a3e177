"""`tracker run`: a command that is watched, and nothing of it changed.

Standard library only, and little of that before the command runs.
"""
