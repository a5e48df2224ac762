"""The trail of who did what, which cannot be changed unnoticed."""
