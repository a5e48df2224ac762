"""Kinds that are served in more versions than the one that is stored."""
