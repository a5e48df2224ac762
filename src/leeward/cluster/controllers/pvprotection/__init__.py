"""Keeps volumes until no claim is bound to them."""
