"""What commands do to a database file (backup, export, prune, checks); it imports the store
around it, which never imports this."""
