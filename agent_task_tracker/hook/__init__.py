"""`tracker hook AGENT`: tells the server what happens to an agent, and never holds it up.

An agent waits while it runs, so nothing here imports what it can do without.
"""
