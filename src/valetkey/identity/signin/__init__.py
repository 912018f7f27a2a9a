"""Ways of signing in, one file each."""
