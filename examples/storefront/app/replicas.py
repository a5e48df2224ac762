"""The client of the store: any replica will do; the replicas tell each other."""

import os
from urllib.parse import quote

import http_service

STORE = f"http://{os.environ['STORE']}"


def read(prefix):
    """Return the values of all keys that begin with `prefix`, by key."""
    return http_service.fetch(STORE, f"/keys/{quote(prefix)}")[1]


def write(key, value):
    """Store `value` under `key`; returns when one replica has it on disk."""
    http_service.fetch(STORE, f"/key/{quote(key)}", "PUT", value)
