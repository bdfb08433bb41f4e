"""The outside world: one folder a tracker or outlet, each mostly arithmetic on JSON."""
