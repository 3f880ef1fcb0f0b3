"""Synthesis: questions without responses become preference sets and training traces."""
