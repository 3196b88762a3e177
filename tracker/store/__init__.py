"""Durable reports, and what can be asked about them: one engine a folder, none of which imports
another."""
