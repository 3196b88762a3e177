"""What tasks, events and messages are and the rules they follow, without I/O; it imports the
leaves."""
