"""The live side (a ring of recent events, cursors over the log, the WebSocket endpoint); it imports
`domain` and the leaves."""
