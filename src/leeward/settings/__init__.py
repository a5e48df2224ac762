"""What people write for leeward itself: ``x-leeward`` in Compose files, and ``leeward.yaml``."""
