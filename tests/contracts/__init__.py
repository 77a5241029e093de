"""Tests that every implementation of an interface must pass, and tests of the real gateway."""
