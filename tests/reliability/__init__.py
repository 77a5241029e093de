"""Guards (mechanisms and their tests), and `make red`, which proves that the tests can fail."""
