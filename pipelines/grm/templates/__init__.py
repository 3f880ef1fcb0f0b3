"""The prompts, as text files; `pipelines.grm.prompts` says what their slots take."""
