"""What can be connected: connectors, custom ones among them, and their tools as last seen.

Knows no person's credential, no key and no network.
"""
