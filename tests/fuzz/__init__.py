"""What reads bytes from outside, fed with bytes that nobody wrote (security.md 7, T30): `./x fuzz`."""
