"""Results: judges single runs, stores the figures, writes tables and plots."""
