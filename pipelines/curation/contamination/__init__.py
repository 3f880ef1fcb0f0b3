"""Which rows hold a benchmark: words, signatures of benchmarks, and the comparison of the two."""
