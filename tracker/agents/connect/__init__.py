"""Connecting agents: each agent's configuration, edited so that nothing else in it changes."""
