"""The door for programs: `/api/v1` and, on the host, the control socket.

Translates HTTP into calls of the rooms below and their errors into problem+json; decides nothing.
"""
