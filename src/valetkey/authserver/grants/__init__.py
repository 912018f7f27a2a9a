"""Grants of the token endpoint, one file each."""
