"""Bedrock: errors, secrets, time and identifiers.

Owns the few words every other room speaks. Knows no protocol, no database, no network and no setting.
"""
