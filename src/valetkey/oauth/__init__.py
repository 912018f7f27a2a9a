"""OAuth messages as values: in pairs, a request built and its answer read, with the caller's one `await` between them.

Does no I/O and keeps nothing. Knows the RFCs and the MCP authorization pages; knows no connection and no key.
"""
