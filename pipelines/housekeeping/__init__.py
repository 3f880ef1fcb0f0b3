"""Keeping house: what a root holds that nobody needs, and what must be forgotten."""
