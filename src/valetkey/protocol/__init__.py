"""MCP messages as values: JSON-RPC, the revisions, headers, event streams, and translating between the eras.

Does no I/O, holds no state beyond a parser's, and knows no person, connector or database.
"""
