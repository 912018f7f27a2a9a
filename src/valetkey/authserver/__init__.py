"""The door for OAuth clients: metadata, registration, authorization, tokens, revocation.

Issues opaque, hashed, audience-bound tokens. Renders no HTML of its own: consent is handed in.
"""
