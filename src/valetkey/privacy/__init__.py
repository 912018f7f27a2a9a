"""What is kept of people and for how long, what may be learned from it, and what they take along or have erased.

Tells the rooms below what to end, in which order. Opens no sealed value but for its own person's export, and for an
auditor's reading, which that person sees.
"""
