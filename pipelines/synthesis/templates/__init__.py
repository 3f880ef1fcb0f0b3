"""Prompts to responders and teachers, as text files."""
