"""What several rings of tests use: clients, gateways, servers, rows, stands."""
