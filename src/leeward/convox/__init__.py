"""``convox.yml`` → a Compose file with ``x-leeward``; knows no Kubernetes."""
