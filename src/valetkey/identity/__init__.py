"""Who is asking: people, organizations and roles, how they sign in, their browser sessions, clients and tokens.

Stores only hashes of what a stranger could present. Knows no connection, no connector and no MCP.
"""
