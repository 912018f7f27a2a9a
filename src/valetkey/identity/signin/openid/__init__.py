"""Signing in through an organization's own identity provider (OpenID Connect), for people of its verified domains.

Who somebody is, is what the provider's signed token says: `iss` and `sub`. An e-mail address never opens an account
that somebody has held; it only finds one that nobody did, in the same organization.
"""
