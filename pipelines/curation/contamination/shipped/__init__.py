"""Signatures of benchmarks that come with grmforge: `python -m benchmarks.ship_signatures` makes them."""
