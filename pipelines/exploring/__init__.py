"""The explorer: a local page on snapshots and evaluations, and a copy of a part of one that needs no server."""
