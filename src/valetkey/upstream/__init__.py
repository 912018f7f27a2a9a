"""Our MCP client: speaks to connectors' servers, whichever era they are of.

Is given a ticket for each request and never sees a secret. Knows no person, no policy and no page.
"""
