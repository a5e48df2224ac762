"""Counts its own runs; a timer starts it."""

from __future__ import annotations

from cache import call

if __name__ == "__main__":
    print("report", call("INCR", "reported"), "shipped", call("GET", "shipped"), flush=True)
