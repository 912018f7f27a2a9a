"""Processes beside the worker: how they are started, hardened, watched over, and spoken to.

Owns the frames, the channel and the life of a child process. Knows nothing of what is said: no key, no URL and no table
has a name here, and nothing that arrives is ever unpickled or run.
"""
