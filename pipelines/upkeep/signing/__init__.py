"""Signing benchmarks: which field of which file asks something, and the signature that is made of all that is asked."""
