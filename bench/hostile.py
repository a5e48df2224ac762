"""Hostile input: what no client should send, by our own OpenAPI documents; no answer may be a 5xx.

After that, what is right but for a field or two, about things that are there: see mutated.py.

Run: python bench/hostile.py [--requests 20000] [--seed 1]
Prints answers by status, what went wrong, seconds and the server's resident memory, at its peak too. Exits 1
for an answer 5xx that upstream would not give, a connection that the server dropped, memory that grew by more
than 150 MB at any time, or anything but version and health for a client without credentials.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from mutated import MADE, Mutated

ROOT = Path(__file__).resolve().parents[1]
CONNECTIONS = 16
GROWTH = 150  # MB
EVENTS = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")
OPEN = ("/version", "/healthz", "/livez", "/readyz")  # what clients without credentials may see
LONG = "x" * 5000
TEXTS = (
    "",
    "a",
    "-",
    "..",
    "a/b",
    "ü",
    "\u0000",
    "\ud7ff",
    LONG,
    "default",
    "kube-system",
    "%2e",
    "'; --",
    "${x}",
)
SCALARS: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    2**70,
    -(2**70),
    1e308,
    0.1,
    "1Gi",
    "1e999",
    [],
    {},
    *TEXTS,
)
TYPES = (
    "application/json",
    "application/yaml",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
    "application/vnd.kubernetes.protobuf",
    "text/plain",
    "",
)
ACCEPTS = (
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "image/png",
    "*/*",
)
QUERIES = (
    "limit", "continue", "resourceVersion", "resourceVersionMatch", "labelSelector", "fieldSelector",
    "dryRun", "fieldManager", "force", "fieldValidation", "gracePeriodSeconds", "propagationPolicy",
    "timeoutSeconds",
    "includeObject", "pretty", "orphanDependents", "allowWatchBookmarks", "sendInitialEvents",
)  # fmt: skip
VALUES = (
    "1", "-1", "0", "99999999999999999999", "abc", "All", "Strict", "Exact", "a=b", "a in (b", "!", "a!=b,,",
    "true",
    "metadata.name=a", "spec.nodeName", "Foreground", "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ", *TEXTS[:8],
)  # fmt: skip
FIELDS = (
    "metadata", "spec", "status", "name", "namespace", "labels", "annotations", "containers", "template",
    "selector", "matchLabels", "replicas", "data", "rules", "ports", "finalizers", "ownerReferences",
    "managedFields", "kind", "apiVersion", "items", "limits", "resources", "volumes", "versions",
    "schema", "webhooks", "validations",
)  # fmt: skip


UNREAD = (
    b"strconv.ParseUint",
    b"failed to create typed patch object",
    b"does not contain declared merge key",
)  # what upstream gives no reason for
DEEP = (
    b'{"a":' * 10_000,
    b"[" * 100_000,
    b'{"data":' + b'{"a":' * 900 + b"1" + b"}" * 901,
    b'{"metadata":' * 10_000 + b"1" + b"}" * 10_000,
    b"a: &a [x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 9)) for n in range(97, 120)),
)  # the last one is small, and more than a machine can hold when its aliases are filled in


class Hostile:
    """Makes requests that are wrong, the same ones for the same seed."""

    def __init__(self, seed: int, operations: list[tuple[str, str]], schemas: dict[str, Any]) -> None:
        self._random = random.Random(seed)
        self._operations = operations
        self._kinds = [
            (kind["group"], kind["version"], kind["kind"], schema)
            for schema in schemas.values()
            for kind in schema.get("x-kubernetes-group-version-kind") or ()
        ]
        self._schemas = schemas

    def request(self) -> tuple[str, str, dict[str, str], bytes]:
        """Return method, path with query, headers and body."""
        pick = self._random.choice
        method, template = pick(self._operations)
        parts = [
            quote(self._text(), safe="") if part.startswith("{") else part for part in template.split("/")
        ]
        query = "&".join(f"{pick(QUERIES)}={quote(pick(VALUES))}" for _ in range(self._random.randrange(4)))
        path = "/".join(parts) + (f"?{query}" if query else "")
        headers = {"accept": pick(ACCEPTS), "content-type": pick(TYPES)}
        return method, path, headers, b"" if method == "GET" else self._body(headers["content-type"])

    def _text(self) -> str:
        return self._random.choice(("default", "default", "a", "web", *TEXTS[1:10]))

    def _body(self, media_type: str) -> bytes:
        if "json-patch" in media_type:
            document: Any = [self._operation() for _ in range(self._random.randrange(4))]
        else:
            document = self._object()
        data = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
        chance = self._random.random()
        if chance < 0.05:
            return data[: self._random.randrange(len(data) + 1)]
        if chance < 0.1:
            return self._random.randbytes(self._random.randrange(64))
        return b"k8s\x00" + self._random.randbytes(32) if "protobuf" in media_type else data

    def _operation(self) -> Any:
        pick = self._random.choice
        path = "/" + "/".join(
            pick((*FIELDS, "0", "-", "~", "9" * 30)) for _ in range(self._random.randrange(5))
        )
        made = {"op": pick(("add", "remove", "replace", "test", "move", "copy", "no", None)), "path": path}
        return pick((made, {**made, "value": self._junk(2)}, {**made, "from": path}, self._junk(1)))

    def _object(self) -> Any:
        if self._random.random() < 0.1:
            return self._junk(4)
        group, version, kind, schema = self._random.choice(self._kinds)
        made = self._valid(schema, 0)
        if isinstance(made, dict):
            made |= {"apiVersion": f"{group}/{version}" if group else version, "kind": kind}
            meta = made.get("metadata") if isinstance(made.get("metadata"), dict) else {}
            made["metadata"] = {**(meta or {}), "name": self._random.choice(("a", "web", "b", LONG, "A_"))}
        return made

    def _valid(self, schema: Any, depth: int) -> Any:
        """Return what mostly has the types of a schema."""
        if self._random.random() < 0.04 or depth > 7:
            return self._junk(2)
        if "$ref" in schema:
            return self._valid(self._schemas.get(schema["$ref"].rpartition("/")[2]) or {}, depth)
        if schema.get("allOf"):
            return self._valid(schema["allOf"][0], depth)
        kind = schema.get("type")
        if kind == "object":
            fields = schema.get("properties") or {}
            needed = set(schema.get("required") or ())
            chosen = [name for name in fields if name in needed or self._random.random() < 0.25]
            return {name: self._valid(fields[name], depth + 1) for name in chosen}
        if kind == "array":
            return [
                self._valid(schema.get("items") or {}, depth + 1) for _ in range(self._random.randrange(3))
            ]
        simple = {
            "string": ("a", "web", "1", "", "10.0.0.1"),
            "integer": (0, 1, 80, -1),
            "boolean": (True, False),
        }
        return self._random.choice(simple.get(kind or "", SCALARS))

    def _junk(self, depth: int) -> Any:
        if depth == 0 or self._random.random() < 0.5:
            return self._random.choice(SCALARS)
        if self._random.random() < 0.5:
            return [self._junk(depth - 1) for _ in range(self._random.randrange(4))]
        return {self._random.choice(FIELDS): self._junk(depth - 1) for _ in range(self._random.randrange(4))}


class Run:
    """One run against a server."""

    def __init__(self, url: str, token: str, pid: int) -> None:
        self.url, self.pid = url, pid
        self.headers = {"authorization": f"Bearer {token}"}
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        self.statuses: Counter[int] = Counter()
        self.peak = 0  # MB
        self.failures: list[str] = []

    def memory(self) -> int:
        """Return the server's resident memory in MB."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) // 1024

    async def watch_memory(self) -> None:
        """Remember the most memory the server has had, until cancelled."""
        while True:
            self.peak = max(self.peak, self.memory())
            await asyncio.sleep(0.05)

    async def send(
        self, session: aiohttp.ClientSession, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> int:
        """Send one request; no answer counts as 0, and is a failure."""
        address = self.url + path
        try:
            async with session.request(
                method, _encoded(address), headers=self.headers | headers, data=body or None
            ) as answer:
                if "watch=" not in path:
                    text = await answer.read()
                    if answer.status >= 500 and not _is_meant(answer.status, text):
                        self.failures.append(f"{method} {path} {headers} {body[:2000]!r}: {text[:300]!r}")
                self.statuses[answer.status] += 1
                return answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            self.statuses[0] += 1
            self.failures.append(f"{method} {path} {headers} {body[:200]!r}: no answer: {error!r}")
            return 0

    async def prepare(self) -> None:
        """Make what mutated requests are about."""
        kind = {"content-type": "application/json"}
        async with self.session() as session:
            for path, body in MADE:
                status = await self.send(session, "POST", path, kind, json.dumps(body).encode())
                if status != 201:
                    self.failures.append(f"POST {path}: {status}")

    async def fuzz(self, hostile: Hostile | Mutated, count: int) -> None:
        """Send `count` wrong requests over a few connections."""
        requests = iter([hostile.request() for _ in range(count)])

        async def worker(session: aiohttp.ClientSession) -> None:
            for request in requests:
                await self.send(session, *request)

        async with self.session() as session:
            await asyncio.gather(*(worker(session) for _ in range(CONNECTIONS)))

    def session(self) -> aiohttp.ClientSession:
        """Return a client."""
        timeout = aiohttp.ClientTimeout(total=60)
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.tls, limit=0), timeout=timeout)

    async def large(self) -> None:
        """Send bodies that are too large or too deep."""
        path = "/api/v1/namespaces/default/configmaps"
        async with self.session() as session:
            kind = {"content-type": "application/json"}
            big = await self.send(session, "POST", path, kind, b'{"data":{"a":"' + b"x" * 4_000_000 + b'"}}')
            if big != 413:
                self.failures.append(f"4 MB of JSON: {big}, not 413")
            for text in DEEP:
                for media_type in TYPES[:6]:
                    method = "PATCH" if "patch" in media_type else "POST"
                    where = f"{path}/a" if method == "PATCH" else path
                    where += "?fieldManager=a" if "apply" in media_type else ""
                    await self.send(session, method, where, {"content-type": media_type}, text)

    async def strangers(self) -> None:
        """Ask without credentials."""
        async with self.session() as session:
            for path in (
                *OPEN,
                "/api",
                "/apis",
                "/openapi/v3",
                "/metrics",
                "/api/v1/secrets",
                "/nothing",
                "/logs",
            ):
                async with session.get(self.url + path) as answer:
                    if answer.status not in ((200,) if path in OPEN else (401, 403)):
                        self.failures.append(f"GET {path} without credentials: {answer.status}")
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                path = "/api/v1/namespaces/default/configmaps/a"
                async with session.request(method, self.url + path, data=b"{}") as answer:
                    if answer.status not in (401, 403):
                        self.failures.append(f"{method} {path} without credentials: {answer.status}")

    async def watches(self, hostile: Hostile, count: int = 200) -> None:
        """Begin watches that are wrong, and read those that are not refused."""
        asked = (each for each in iter(hostile.request, None) if each[0] == "GET")
        requests = iter([next(asked) for _ in range(count)])

        async def worker(session: aiohttp.ClientSession) -> None:
            for _, path, headers, _ in requests:
                where, _, query = path.partition("?")
                where += f"?watch=true&timeoutSeconds=1&{query}"
                async with session.get(_encoded(self.url + where), headers=self.headers | headers) as answer:
                    self.statuses[answer.status] += 1
                    text = await answer.read()
                    lines = text.splitlines() if answer.status == 200 and b'"type"' in text else ()
                    wrong = [line for line in lines if json.loads(line).get("type", "ERROR") not in EVENTS]
                    if wrong or (answer.status >= 500 and not _is_meant(answer.status, text)):
                        self.failures.append(f"GET {where} {headers}: {answer.status} {text[:300]!r}")

        async with self.session() as session:
            await asyncio.gather(*(worker(session) for _ in range(CONNECTIONS)))

    async def _open(self, text: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        where = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=self.tls)
        writer.write(text.encode())
        return reader, writer

    async def byte_by_byte(self, count: int = 20) -> None:
        """Send requests a byte at a time, side by side."""
        path, token = "/api/v1/namespaces/default/configmaps", self.headers["authorization"]

        async def one(number: int) -> None:
            body = json.dumps({"metadata": {"name": f"slow-{number}"}})
            head = f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\n"
            reader, writer = await self._open("")
            for byte in f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode():
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(0.002)
            status = (await reader.readline()).split()
            if status[1:2] != [b"201"]:
                self.failures.append(f"a request byte by byte: {status}")
            writer.close()

        await asyncio.gather(*(one(number) for number in range(count)))

    async def crowd(self, count: int = 230) -> None:
        """Begin more requests than there are places for, as somebody who is no administrator."""
        account, path = "/api/v1/namespaces/default/serviceaccounts", "/api/v1/namespaces/default/configmaps"
        binding = {
            "metadata": {"name": "crowd"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "crowd", "namespace": "default"}],
        }
        made: tuple[tuple[str, dict[str, Any]], ...] = (
            (account, {"metadata": {"name": "crowd"}}),
            ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding),
            (f"{account}/crowd/token", {"spec": {"audiences": []}}),
        )
        created: dict[str, Any] = {}
        async with self.session() as session:
            for where, document in made:
                async with session.post(self.url + where, json=document, headers=self.headers) as answer:
                    created = await answer.json()
        token = created["status"]["token"]
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
        held = [await self._open(f"{head}Content-Length: 10\r\n\r\n") for _ in range(count)]
        told: Counter[bytes] = Counter()
        for reader, _ in held:
            try:
                told[(await asyncio.wait_for(reader.readline(), 0.05)).split()[1]] += 1
            except TimeoutError:
                told[b"held"] += 1
        if told[b"429"] != count - 200 or told[b"held"] != 200:
            self.failures.append(f"{count} requests at a time: {dict(told)}, not 200 held and the rest 429")
        for _, writer in held:
            writer.close()

    async def half_open(self) -> None:
        """Write while there are watches that nobody reads and requests that never end."""
        where = urlsplit(self.url)
        token = self.headers["authorization"]
        held: list[ssl.SSLSocket] = []
        for number in range(200):
            raw = socket.create_connection((where.hostname or "", where.port or 443), timeout=10)
            line = self.tls.wrap_socket(raw, server_hostname=where.hostname)
            head = f"GET /api/v1/configmaps?watch=true HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\n"
            line.sendall(head.encode() + (b"\r\n" if number % 2 else b"X-Slow: "))
            held.append(line)
        kind = {"content-type": "application/json"}
        async with self.session() as session:
            for number in range(300):
                data = {"metadata": {"name": f"watched-{number}"}, "data": {"a": "x" * 20_000}}
                path = "/api/v1/namespaces/default/configmaps"
                await self.send(session, "POST", path, kind, json.dumps(data).encode())
        for line in held:
            line.close()


def _is_meant(status: int, text: bytes) -> bool:
    """Tell whether a 5xx is upstream's too.

    501 for what is not served, 504 for a revision that is not there yet, and 500 without a reason for a watch
    or a precondition whose revision is no number, and for a configuration or patch that does not fit its
    type, as recorded in the transcripts.
    """
    unread = status == 500 and any(each in text for each in UNREAD) and b'"reason"' not in text
    return status == 501 or unread or (status == 504 and b"ResourceVersionTooLarge" in text)


def _encoded(address: str) -> Any:
    from yarl import URL

    return URL(address, encoded=True)


async def documents(run: Run) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Return the operations and schemas of the server's OpenAPI documents."""
    operations: list[tuple[str, str]] = []
    schemas: dict[str, Any] = {}
    async with run.session() as session:
        async with session.get(run.url + "/openapi/v3", headers=run.headers) as answer:
            index = json.loads(await answer.read())
        for found in index["paths"].values():
            async with session.get(run.url + found["serverRelativeURL"], headers=run.headers) as answer:
                document = json.loads(await answer.read())
            schemas |= (document.get("components") or {}).get("schemas") or {}
            for path, item in document["paths"].items():
                methods = [each.upper() for each in item if each in ("get", "put", "post", "patch", "delete")]
                operations += [(method, path) for method in methods if "/watch/" not in path]
    return operations, schemas


async def main() -> int:
    """Run all, print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "tests" / "conformance" / "server.py"),
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        assert server.stdout is not None
        url, token = (await server.stdout.readline()).decode().split()
        run = Run(url, token, server.pid)
        await run.prepare()
        operations, schemas = await documents(run)
        start = time.monotonic()
        await run.fuzz(Hostile(options.seed - 1, operations, schemas), options.requests // 10)
        before = run.memory()  # once everything is loaded that is loaded with its first use
        watching = asyncio.create_task(run.watch_memory())
        await run.fuzz(Hostile(options.seed, operations, schemas), options.requests)
        await run.fuzz(Mutated(options.seed), options.requests)
        await run.large()
        await run.watches(Hostile(options.seed + 1, operations, schemas))
        await run.byte_by_byte()
        await run.crowd()
        await run.strangers()
        await run.half_open()
        seconds, after = time.monotonic() - start, run.memory()
        run.peak = max(run.peak, after)
        watching.cancel()
    finally:
        server.terminate()
        await server.wait()
    for failure in run.failures:
        sys.stdout.write(f"{failure}\n")
    told = ", ".join(f"{status}: {count}" for status, count in sorted(run.statuses.items()))
    sys.stdout.write(f"{run.statuses.total()} requests in {seconds:.0f} s by status: {told}\n")
    sys.stdout.write(
        f"{len(run.failures)} failures; resident memory "
        f"{before} MB before, {run.peak} MB at most, {after} MB after\n"
    )
    return 1 if run.failures or run.peak - before > GROWTH else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
