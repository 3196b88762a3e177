"""Durable reports, and what can be asked about them: one engine a folder, none of which imports
another, and beside them what they share. What each has to do is `tracker.domain.ports`."""
