"""Which sets stay, and why: curation, splits, and the leak probe."""
