"""Tests of pure functions and single objects, without services; folders mirror the source."""
