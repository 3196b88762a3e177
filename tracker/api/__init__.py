"""The HTTP side, a file a path; it imports `auth`, `ws` and what these may import, and no store."""
