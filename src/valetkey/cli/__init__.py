"""The operator's commands, one file per noun.

They speak `/api/v1`; only `serve` and `demo` start anything. Knows argv and the terminal.
"""
