"""Measures speed, CPU and memory; `python -m tests.bench` runs the scenarios."""
