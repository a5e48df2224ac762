"""An image registry on loopback, for tests: takes pushes, gives manifests, and misbehaves when told to.

Source: OCI Distribution Specification 1.1; distribution.github.io/distribution/spec/auth/token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_NONE: Mapping[str, str] = {}
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<what>manifests|blobs)/(?P<rest>.*)\Z")


class Scripted(NamedTuple):
    """An answer that is given once instead of the right one."""

    status: int
    headers: dict[str, str]


class Asked(NamedTuple):
    """A request that came."""

    method: str
    path: str
    authorization: str


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class RegistryServer:
    """What the registry has and how it behaves; changes take effect at once."""

    port: int = 0
    auth: str = ""  # "", "basic" or "bearer"
    users: dict[str, str] = field(default_factory=dict)  # who may; with none, anybody gets a token
    refresh_tokens: set[str] = field(default_factory=set)
    answers_head: bool = True
    tells_digest: bool = True
    wrong_digest: str = ""
    content_type: str = ""  # instead of the manifest's own
    token_server: str = ""  # instead of its own
    script: list[Scripted] = field(default_factory=list)  # what manifests are answered with first
    asked: list[Asked] = field(default_factory=list)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def put(self, name: str, tag: str, content: bytes = b"{}", kind: str = MANIFEST) -> str:
        """Keep a manifest; return its digest."""
        digest = digest_of(content)
        for key in (tag, digest):
            self.manifests[name, key] = (kind, content)
        return digest

    def methods(self) -> list[str]:
        """Return the methods of what was asked of manifests."""
        return [asked.method for asked in self.asked if "/manifests/" in asked.path]


@contextmanager
def serving() -> Iterator[RegistryServer]:
    """Run a registry as long as the block lasts."""
    state = RegistryServer()
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: RegistryServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self._body()
        url = urlsplit(self.path)
        authorization = self.headers.get("Authorization", "")
        self.state.asked.append(Asked(self.command, self.path, authorization))
        if url.path == "/token":
            self._token(body)
        elif not self._may(authorization):
            self._challenge()
        elif url.path == "/v2/":
            self._answer(200)
        elif (found := _PATH.match(url.path)) is None:
            self._answer(404)
        elif found["what"] == "manifests":
            self._manifest(found["name"], found["rest"], body)
        elif found["rest"].startswith("uploads/"):
            self._upload(found["name"], found["rest"].removeprefix("uploads/"), body)
        else:
            self._blob(found["rest"])

    def _manifest(self, name: str, tag: str, body: bytes) -> None:
        state = self.state
        if self.command == "PUT":
            digest = state.put(name, tag, body, self.headers.get("Content-Type", MANIFEST))
            location = f"/v2/{name}/manifests/{digest}"
            self._answer(201, {"Docker-Content-Digest": digest, "Location": location})
            return
        if state.script:
            scripted = state.script.pop(0)
            self._answer(scripted.status, scripted.headers)
            return
        if self.command == "HEAD" and not state.answers_head:
            self._answer(405)
            return
        found = state.manifests.get((name, tag))
        if found is None:
            self._answer(404, body=b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
            return
        headers = {"Content-Type": state.content_type or found[0]}
        if state.tells_digest:
            headers["Docker-Content-Digest"] = state.wrong_digest or digest_of(found[1])
        self._answer(200, headers, found[1])

    def _blob(self, digest: str) -> None:
        found = self.state.blobs.get(digest)
        if found is None:
            self._answer(404)
        else:
            self._answer(200, {"Docker-Content-Digest": digest}, found)

    def _upload(self, name: str, upload: str, body: bytes) -> None:
        """Take a blob: POST begins, PATCH adds, PUT ends with its digest."""
        state, query = self.state, parse_qs(urlsplit(self.path).query)
        if self.command == "POST":
            upload = str(len(state.uploads) + 1)
        whole = state.uploads[upload] = state.uploads.get(upload, b"") + body
        if "digest" in query and self.command in ("POST", "PUT"):
            digest = query["digest"][0]
            if digest != digest_of(whole):
                self._answer(400, body=b'{"errors": [{"code": "DIGEST_INVALID"}]}')
                return
            state.blobs[digest] = whole
            self._answer(201, {"Docker-Content-Digest": digest, "Location": f"/v2/{name}/blobs/{digest}"})
            return
        location = f"/v2/{name}/blobs/uploads/{upload}"
        self._answer(202, {"Location": location, "Range": f"0-{max(len(whole) - 1, 0)}"})

    def _token(self, body: bytes) -> None:
        """Give a token to those who may have one: by password, by refresh token, or to anybody."""
        state, form = self.state, parse_qs(body.decode())
        by_refresh = form.get("refresh_token", [""])[0] in state.refresh_tokens
        if not by_refresh and not self._is_user(self.headers.get("Authorization", "")) and state.users:
            self._answer(401)
            return
        key = "access_token" if by_refresh else "token"
        self._answer(200, {"Content-Type": "application/json"}, json.dumps({key: "a-token"}).encode())

    def _may(self, authorization: str) -> bool:
        if self.state.auth == "bearer":
            return authorization == "Bearer a-token"
        return self.state.auth != "basic" or self._is_user(authorization)

    def _is_user(self, authorization: str) -> bool:
        known = {f"{user}:{word}".encode() for user, word in self.state.users.items()}
        return any(authorization == f"Basic {base64.b64encode(pair).decode()}" for pair in known)

    def _challenge(self) -> None:
        realm = self.state.token_server or f"http://{self.state.host}/token"
        text = 'Basic realm="registry"'
        if self.state.auth == "bearer":
            found = _PATH.match(urlsplit(self.path).path)
            scope = f',scope="repository:{found["name"]}:pull,push"' if found else ""
            text = f'Bearer realm="{realm}",service="registry, for tests"{scope}'
        self._answer(401, {"WWW-Authenticate": text})

    def _answer(self, status: int, headers: Mapping[str, str] = _NONE, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole
