"""The HTTP side, a file a path; it imports `auth`, `store`, `ws` and what these may import."""
