"""Configuration of the server and the commands (settings, `.env`, paths); it imports the leaves."""
