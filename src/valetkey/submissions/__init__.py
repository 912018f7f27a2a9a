"""What stands between a publisher and the directory: drafts, proofs, the desk of reviewers, decisions.

Owns submissions from the first field to the listing that comes of one. It writes no rule and visits nobody by itself:
`review` does. It must not show a test account to anybody, and must not let anyone decide on their own submission.
"""
