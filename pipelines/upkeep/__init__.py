"""After builds: refresh and retention, what nobody needs any more, and what must be forgotten."""
