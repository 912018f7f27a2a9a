"""Whether a connector is fit to be listed: it is visited, and what was seen is held against the directory policy.

Owns the visit (bounded in time and size, whatever the server does), the rules and the report. It signs nobody in, keeps
nothing, decides about no call, and must not act on what it reads: what a server says is quoted, never believed.
"""
