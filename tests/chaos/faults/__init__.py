"""The faults that can be injected, one module for each part that they affect."""
