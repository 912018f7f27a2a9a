"""What becomes of a person's data: when they leave.

Tells the rooms below what to end, in which order; holds no data of its own. Never opens a sealed value.
"""
