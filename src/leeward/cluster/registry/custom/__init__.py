"""What CustomResourceDefinitions say about their objects."""
