"""Tests of the test tools: guards, `make red`, bench."""
