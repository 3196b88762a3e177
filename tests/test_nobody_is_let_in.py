"""Nobody is let in, and no key gets out: what strangers can do about it, each tried.

The order is that of SECURITY.md.
"""

from __future__ import annotations

# --- A stranger's `.env`: the cloned repository.


# --- Whoever took the port of a server that is gone.


# --- Signing out.


# --- Wrong keys.


# --- What a terminal or a spreadsheet would obey.


# --- Requests that say two things at once.
