"""Preference sets made of questions that have an answer and no responses to compare."""
