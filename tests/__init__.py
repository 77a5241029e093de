"""All tests, and the tools for them; CONTRIBUTING.md explains the rings."""
