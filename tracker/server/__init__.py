"""The process around the application (socket, uvicorn, signals, ready file, logs); it imports
`api` and what that may import."""
