"""From all sources to one table: curation, duplicates, prompt_length, clusters, splits."""
