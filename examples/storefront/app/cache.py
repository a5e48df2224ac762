"""Keeps values in memory for a few seconds."""

import time

import http_service

SECONDS = 2.0
VALUES = {}


class Cache(http_service.Handler):
    def get(self, path, body):
        expires, value = VALUES.get(path, (0.0, None))
        return (200, value) if expires > time.monotonic() else (404, None)

    def put(self, path, body):
        VALUES[path] = (time.monotonic() + SECONDS, body)
        return 200, "ok"


http_service.serve(Cache, 6000)
