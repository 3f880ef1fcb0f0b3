"""Scorers: sequence classifiers that give a text one number, at a vLLM's classification endpoint or loaded here."""
