"""Who is let in (keys, browser sessions, wrong keys); it imports `config`, `domain` and the
leaves."""
