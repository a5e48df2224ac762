"""A replicated key-value store: SQLite on a volume of its own in every replica.

A value is written once under its key and never changes, so replicas agree by telling each other what
they have: at once when something is written, and everything that is new since the last talk every
second. Whichever replicas are lost, what another one has is not.
"""

import os
import socket
import sqlite3
import threading
import time
from pathlib import Path
from urllib.parse import unquote

import http_service
import json

PEERS = os.environ["PEERS"]
DATA = Path(os.environ["DATA_DIR"]) / f"{socket.gethostname()}.db"
LOCK = threading.Lock()
DATABASE = sqlite3.connect(DATA, check_same_thread=False, isolation_level=None)
DATABASE.execute("PRAGMA journal_mode = WAL")
DATABASE.execute(
    "CREATE TABLE IF NOT EXISTS entry (number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE, value TEXT)"
)


def keep(entries):
    """Add entries that are new here: [[key, value], …]."""
    with LOCK:
        DATABASE.executemany(
            "INSERT OR IGNORE INTO entry (key, value) VALUES (?, ?)",
            [(key, json.dumps(value)) for key, value in entries],
        )


def select(query, *values):
    with LOCK:
        return DATABASE.execute(query, values).fetchall()


class Store(http_service.Handler):
    def get(self, path, body):
        verb, _, rest = path.removeprefix("/").partition("/")
        if verb == "keys":
            prefix = unquote(rest)
            rows = select("SELECT value FROM entry WHERE key >= ? AND key < ? ORDER BY key", prefix, prefix + "~")
            return 200, [json.loads(value) for (value,) in rows]
        if verb == "since":
            rows = select("SELECT number, key, value FROM entry WHERE number > ? ORDER BY number LIMIT 1000", int(rest))
            return 200, [[number, key, json.loads(value)] for number, key, value in rows]
        return 404, {"error": "not found"}

    def put(self, path, body):
        key = unquote(path.removeprefix("/key/"))
        keep([[key, body]])
        if not self.headers.get("X-From-Peer"):
            threading.Thread(target=tell_peers, args=(path, body), daemon=True).start()
        return 200, {"stored": key}


def tell_peers(path, body):
    for address in peers():
        try:
            http_service.call(address, "PUT", path, body, {"X-From-Peer": "1"}, timeout=0.5)
        except OSError:
            continue  # it will ask


def peers():
    try:
        return http_service.addresses(PEERS)
    except http_service.Unavailable:
        return []


def learn_forever():
    """Ask every peer for what is new there."""
    seen = {}
    while True:
        for address in peers():
            try:
                _, rows = http_service.call(address, "GET", f"/since/{seen.get(address, 0)}", timeout=0.5)
            except OSError:
                continue
            if rows:
                keep([[key, value] for _, key, value in rows])
                seen[address] = rows[-1][0]
        time.sleep(1)


threading.Thread(target=learn_forever, daemon=True).start()
http_service.serve(Store, 7000)
