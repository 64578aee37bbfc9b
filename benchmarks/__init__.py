"""How fast, beside what else one could use: `python -m benchmarks`."""
