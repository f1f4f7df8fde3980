"""Benchmarks: fnet and its peers on the same work, timed in alternation in one run."""
