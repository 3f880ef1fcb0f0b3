"""A little of a build, really asked: what it would be like, and at which rate."""
