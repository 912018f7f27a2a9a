"""Valetkey: a self-hosted connector hub."""

__version__ = "0.1.0"
