"""The live side: a ring of recent events, cursors over the log, and the WebSocket endpoint."""
