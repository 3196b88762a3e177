"""Telemetry: OTLP over HTTP, and what it tells of agents (docs/contract.md, "Telemetry")."""
