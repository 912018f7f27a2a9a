"""Ways of authenticating to a connector, one file each."""
