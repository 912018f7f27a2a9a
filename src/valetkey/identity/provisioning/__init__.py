"""What an organization's directory of people says here (SCIM): its people, its groups, and which role a group gives.

Knows no SCIM message: `api.scim` reads and writes those. What it keeps of a person is what the directory says of them.
"""
