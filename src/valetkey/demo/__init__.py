"""The outside world in a box: a sample service with its own authorization server, and the story that uses it.

Imports no room; talks HTTP, as any stranger would.
"""
