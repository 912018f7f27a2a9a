"""What an organization's owner says of its members' connectors: which hosts they may reach, and for whom each one is.

It narrows and never widens: the address policy of the hub, its directory and the ceilings hold besides.
"""
