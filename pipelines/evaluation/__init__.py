"""Evaluation of judges: benchmarks, votes over samples, selectors, intervals and claims."""
