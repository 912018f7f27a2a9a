"""Accounts that people have connected: connecting, keeping the credential fresh, disconnecting.

Speaks OAuth towards services with the messages of `oauth`, through `net`; seals what it gets in the `vault`.
Never shows a credential to anyone and never decides what a tool may do.
"""
