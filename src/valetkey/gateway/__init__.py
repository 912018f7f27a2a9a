"""The door for assistants: MCP, on `/mcp`, on `/c/<connector>/mcp` and on `/p/<profile>/mcp`.

Authenticates, decides, records, carries the call over, and renders the answer in the client's revision.
"""
