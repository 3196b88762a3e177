"""What the server and the commands are told (settings, `.env`, paths); it imports the leaves."""
