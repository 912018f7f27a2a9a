"""A hub in three processes: what the vault's and the dialer's are made of, and what the worker has in their place.

Chosen once, in `app`; the rooms below cannot tell which way it is (design.md D13). Puts rooms together, as `app` does,
and decides nothing: whoever asks, and whether they may, is the business of the rooms.
"""
