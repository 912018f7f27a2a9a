"""The door for assistants: MCP, on `/mcp` and on `/c/<connector>/mcp`.

Authenticates, decides, records, carries the call over, and renders the answer in the client's revision.
"""
