"""What members ask to have: connectors by URL, which whoever manages connectors switches on or says no to (ORG-02).

Asking adds nothing and contacts nobody, and a yes connects nobody: each member still signs in themself.
"""
