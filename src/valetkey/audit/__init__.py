"""What happened: one record per call, and the trail of everything else that matters.

Receives payloads already sealed and cannot decrypt. Knows no person's name and no protocol.
"""
