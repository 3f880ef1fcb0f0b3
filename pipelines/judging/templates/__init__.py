"""The prompts, as text files; `pipelines.judging.prompts` says what their slots take."""
