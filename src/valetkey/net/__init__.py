"""The only way out: every outbound socket of the product is opened here.

Owns address policy, dialing, limits and the two HTTP clients. Knows no protocol above HTTP and reads no secret: a
credential writes itself into the outgoing buffer and is wiped when the bytes have left.
"""
