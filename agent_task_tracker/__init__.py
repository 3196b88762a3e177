"""What users' code imports: the Python SDK, and pytest's plugin.

Standard library only, and nothing of `tracker`: a project's own `tracker.py` would hide it.
"""
