"""Products from the cache or the store; orders into the store."""

import os
from pathlib import Path

import http_service
from replicas import read, write

CACHE = f"http://{os.environ['CACHE']}"
TOKEN = Path("/run/secrets/api-token").read_text().strip()


class Api(http_service.Handler):
    def get(self, path, body):
        if path == "/products":
            return 200, self.products()
        return 404, {"error": "not found"}

    def products(self):
        try:
            status, cached = http_service.fetch(CACHE, "/products", tries=1, timeout=0.3)
            if status == 200:
                return cached
        except http_service.Unavailable:
            cached = None  # a cache that is away makes us slower, not wrong
        products = read("product/")
        try:
            http_service.fetch(CACHE, "/products", "PUT", products, tries=1, timeout=0.3)
        except http_service.Unavailable as error:
            print(f"not cached: {error}", flush=True)
        return products

    def put(self, path, body):
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"error": "who are you?"}
        write(f"order/{body['id']}", body)
        return 201, {"order": body["id"]}


http_service.serve(Api, 8000)
