"""May they? Decides whether a call is allowed, and says by which rule.

Can reach neither the vault nor the network. Deciding is pure; what people have switched on is looked up here.
"""
