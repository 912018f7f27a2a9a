"""The dialer in a process of its own: every socket out is opened there, and there a ticket becomes bytes.

`serving` is that process's half, `dialing` the half of those who ask it. It dials, checks, speaks TLS and passes bytes
on; it reads none of what a service says, and its only key opens tickets that were made for it since it was started.
"""
