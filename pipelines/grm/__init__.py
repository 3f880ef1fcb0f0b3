"""The judge: what it is asked, what it answered, and which of its answers are kept."""
