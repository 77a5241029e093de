"""The load: people with browser tabs, on bare WebSockets."""
