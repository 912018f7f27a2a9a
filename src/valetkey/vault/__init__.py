"""Seals secrets, and lets them out only as a ticket for one origin.

Trust boundary: whoever holds both databases but not the root key learns nothing; whoever moves a ciphertext anywhere
else makes it undecryptable. There is no verb that shows a secret to a person. Knows no OAuth, no MCP and no page.
"""
