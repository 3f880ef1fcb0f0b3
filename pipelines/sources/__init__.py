"""From data sets to sets: ingestion, registry, files, rows, text; then a module for each kind of source."""
