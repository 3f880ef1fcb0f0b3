"""Batches of an OpenAI-compatible endpoint: sent, waited for, and brought in."""
