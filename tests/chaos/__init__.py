"""Random faults under load, drawn from a seed and judged; `python -m tests.chaos` runs it."""
