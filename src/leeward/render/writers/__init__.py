"""How rendered objects become text and files."""
