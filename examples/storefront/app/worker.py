"""Ships orders: writes a shipment for every order that has none. Several workers do no harm."""

import signal
import sys
import time

import http_service
from replicas import read, write

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("worker ready", flush=True)
shipped = set()
while True:
    try:
        shipped |= {shipment["order"] for shipment in read("shipment/")}
        waiting = [order for order in read("order/") if order["id"] not in shipped]
        for order in waiting[:100]:
            write(f"shipment/{order['id']}", {"order": order["id"], "at": time.time()})
            shipped.add(order["id"])
        if waiting:
            print(f"shipped {len(waiting[:100])} orders", flush=True)
    except http_service.Unavailable as error:
        print(f"waiting: {error}", flush=True)
    time.sleep(2)
