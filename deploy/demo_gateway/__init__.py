"""A stand-in for a Hermes gateway that needs no model."""

KEY_VARIABLE = "DEMO_GATEWAY_KEY"
