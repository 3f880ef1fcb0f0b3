"""Prompts of rubric generation and judgement, as text files."""
