"""Container runtimes behind two small protocols, as in CRI; simulated containers need none."""
