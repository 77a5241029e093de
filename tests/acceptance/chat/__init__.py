"""What clients can do, on a stack without faults."""
