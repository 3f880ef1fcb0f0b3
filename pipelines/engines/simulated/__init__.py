"""A model without weights: the same request always gets the same answer."""
