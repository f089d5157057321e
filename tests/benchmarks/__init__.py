"""Benchmarks: what Phasegate costs beside the floor that each figure names. `python -m tests.benchmarks` runs them all."""
