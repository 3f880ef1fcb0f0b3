"""The outermost shell: command/, deployed/ (the Prefect flows), and watching/, with which both show their runs."""

import os

# Read once, when polars is imported: it hands pages back after two seconds without use instead of half a second, so
# that a stage which works group by group is not given them anew each time, a seventh of its time.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:2000,muzzy_decay_ms:2000")
