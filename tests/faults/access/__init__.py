"""No stranger is let in and no key gets out: each attack of SECURITY.md is tried."""
