"""The door for an organization's directory: SCIM 2.0 (RFC 7643, RFC 7644), users and groups.

Its messages are read and written by scim2-models; what they come to is asked of `identity.provisioning` and `privacy`.
"""
