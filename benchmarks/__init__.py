"""Benchmarks: commands that measure what the README and the issues claim. Run from the checkout."""
