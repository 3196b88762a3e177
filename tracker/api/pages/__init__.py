"""Pages for browsers (the dashboard, `/docs`, `/redoc`); it imports what all of `api` shares,
and its document."""
