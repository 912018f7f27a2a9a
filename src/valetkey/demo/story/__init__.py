"""A person's first hour with the hub, played headless over real HTTP, told line by line."""
