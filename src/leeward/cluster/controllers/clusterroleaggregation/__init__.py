"""Puts cluster roles together from others."""
