"""The outside world in a box: a sample service with its own authorization server, and the story that uses both.

Imports no room; talks HTTP, as any stranger would. Two strangers that have nothing to do with each other but the
standards are played here, each in its own process: *Marginalia*, a small notebook service (`service`, `conversation`,
`notes`), and its authorization server (`authorization_server`, `ledger`, `pages`). `neighborhood` starts them,
`run` starts a hub beside them, and `story` plays a person's first hour headless.
"""
