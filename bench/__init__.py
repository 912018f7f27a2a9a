"""How fast a call is: the same upstream directly, behind nginx, and behind Valetkey, measured side by side.

`./x bench` runs it. Not part of the product, and not a test.
"""
