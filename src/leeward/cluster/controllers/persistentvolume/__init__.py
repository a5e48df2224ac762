"""Makes, binds and removes local persistent volumes, zone by zone."""
