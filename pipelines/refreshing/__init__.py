"""A refresh: new revisions, a new version, compared with the last, guarded; then retention, over upkeep."""
