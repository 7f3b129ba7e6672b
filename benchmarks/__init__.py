"""Measurements that anyone can run again: `python -m benchmarks.NAME`. Results are committed in `results/`."""
