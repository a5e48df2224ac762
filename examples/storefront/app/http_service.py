"""What the shop's services share: a small HTTP server and a client that tries again."""

import collections
import http.client
import http.server
import json
import random
import signal
import socket
import threading
import time
from urllib.parse import urlsplit


class Handler(http.server.BaseHTTPRequestHandler):
    """Routes by method; a subclass defines get, put and post, each (path, body) -> (status, value)."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; the second one must not wait

    def _serve(self, answer):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        if self.path == "/healthz":
            status, value = 200, "ok"
        else:
            try:
                status, value = answer(self.path, body)
            except Unavailable as error:
                status, value = 503, {"error": str(error)}
        html = isinstance(value, str) and value.startswith("<")
        data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8" if html else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self._serve(self.get)

    def do_PUT(self):
        self._serve(self.put)

    def do_POST(self):
        self._serve(self.post)

    def log_message(self, *args):
        """Say nothing about single requests."""


class Server(http.server.ThreadingHTTPServer):
    """Takes bursts; ends when told to, after the requests in flight."""

    request_queue_size = 256
    daemon_threads = True


def serve(handler, port):
    """Serve until SIGTERM."""
    server = Server(("0.0.0.0", port), handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"{handler.__name__} on port {port}", flush=True)
    server.serve_forever(poll_interval=0.1)


class Unavailable(Exception):
    """Nobody answered in time."""


resolved = {}  # "host:port" -> (when it is asked for again, addresses)
idle = collections.defaultdict(collections.deque)  # address -> connections that can be used again


def addresses(place):
    """Return every address behind "host:port", in an order that differs from call to call."""
    until, found = resolved.get(place, (0, []))
    if time.monotonic() > until:
        host, port = place.rsplit(":", 1)
        try:
            infos = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_STREAM)
        except OSError as error:
            raise Unavailable(f"{host} has no address: {error}") from error
        found = list({info[4][:2] for info in infos})
        resolved[place] = (time.monotonic() + 1, found)
    return random.sample(found, len(found))


def call(address, method, path, value=None, headers=None, timeout=1.0):
    """Make one request to one address; returns (status, parsed body). Raises OSError."""
    body = None if value is None else json.dumps(value)
    try:
        connection = idle[address].pop()
        connection.sock.settimeout(timeout)
    except IndexError:
        connection = http.client.HTTPConnection(*address, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        result = answer.status, json.loads(answer.read() or b"null")
    except (http.client.HTTPException, ValueError, OSError) as error:
        connection.close()
        idle[address].clear()  # whoever the others lead to may be gone, too
        raise OSError(str(error)) from error
    if not answer.will_close:
        idle[address].append(connection)
    return result


def fetch(url, path, method="GET", value=None, headers=None, tries=3, timeout=1.0):
    """Ask `url`, again when nobody answered; only for requests that may be repeated."""
    parts = urlsplit(url)
    reason = "no address"
    for _ in range(tries):
        for address in addresses(parts.netloc):
            try:
                status, answer = call(address, method, path, value, headers, timeout)
            except OSError as error:
                reason = str(error)
                continue
            if status < 500:
                return status, answer
            reason = f"status {status}"
    raise Unavailable(f"{parts.netloc}: {reason}")
