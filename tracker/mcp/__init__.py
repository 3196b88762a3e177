"""The Model Context Protocol, by which agents read and report: its messages, and what can be asked
for. It knows no transport and no store."""
