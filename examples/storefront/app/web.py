"""The front end: a page with the catalogue, and orders passed on to the API."""

import html
import os
import time
from pathlib import Path

import http_service

API = os.environ["API_URL"]
TOKEN = Path("/run/secrets/api-token").read_text().strip()


class Web(http_service.Handler):
    def get(self, path, body):
        status, products = http_service.fetch(API, "/products")
        rows = "".join(f"<li>{html.escape(p['name'])}: {p['price'] / 100:.2f}</li>" for p in products)
        return status, f"<!doctype html><title>Storefront</title><h1>Storefront</h1><ul>{rows}</ul>"

    def post(self, path, body):
        if path != "/orders":
            return 404, {"error": "not found"}
        order = {"id": os.urandom(8).hex(), "product": body["product"], "at": time.time()}
        # The order has its id already, so repeating it changes nothing.
        return http_service.fetch(
            API, f"/orders/{order['id']}", "PUT", order, {"Authorization": f"Bearer {TOKEN}"}
        )


http_service.serve(Web, 8080)
