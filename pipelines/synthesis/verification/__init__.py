"""Is the answer that ends a text the right one? Rules decide, no model; what they cannot tell is undecided."""
