"""Removes certificate requests that nobody needs any more."""
