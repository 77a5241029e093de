"""Compares the records: loss, order, duplicates, ends, pauses, leftovers."""
