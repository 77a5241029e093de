"""The command `holdfast up`, health checks and the bench, as an operator runs them."""
