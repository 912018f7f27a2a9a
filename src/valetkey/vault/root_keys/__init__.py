"""Where the root key comes from, one file per provider."""
