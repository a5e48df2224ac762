"""Ships orders."""

from __future__ import annotations

import time

from cache import call

if __name__ == "__main__":
    while True:
        if call("RPOP", "orders") is not None:
            print("shipped", call("INCR", "shipped"), flush=True)
        else:
            time.sleep(0.2)
