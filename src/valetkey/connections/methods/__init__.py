"""Ways of authenticating to a connector, one file each: what is sealed for a connection, and which headers carry it."""
