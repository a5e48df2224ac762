"""The demonstration of releases: 1.0 goes all the way, 1.1 is stopped in qa, 1.2 passes, production goes back.

Everything happens on a cluster of its own, in a directory that is removed at the end. All the time somebody
reads the shop's front page in qa and in production, through the ingress. Exits 0 when the story went as told
and no request failed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from leeward.base.errors import LeewardError
from leeward.cli import clusters, output
from leeward.cli.connection import connect
from leeward.cli.main import run
from leeward.cli.people import certified
from leeward.kube.kubeconfig import Access, contexts_of, write_kubeconfig

HERE = Path(__file__).resolve().parent
CLUSTER = "releases"
ENVIRONMENTS = ("ci", "qa", "uat", "production", "demo")
PEOPLE = {"dora": "devops", "carl": "cloudops"}
PAUSE = 0.05  # seconds between two requests


class StoryError(Exception):
    """Something did not go as told."""


class Readers:
    """Somebody who reads the front page of environments, and counts."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.read: dict[str, int] = {}
        self.failed: dict[str, list[str]] = {}

    def start(self, host: str) -> None:
        """Read the page of one more host."""
        self.read[host], self.failed[host] = 0, []
        thread = threading.Thread(target=self._read, args=(host,), daemon=True)
        thread.start()
        self._threads.append(thread)

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read(self, host: str) -> None:
        with httpx.Client(headers={"host": host}, timeout=10.0, trust_env=False) as client:
            while not self._stop.wait(PAUSE):
                try:
                    answer = client.get(f"http://127.0.0.1:{self._port}/")
                    problem = "" if answer.status_code == 200 else f"status {answer.status_code}"
                except httpx.HTTPError as error:
                    problem = repr(error)
                self.read[host] += 1
                if problem:
                    self.failed[host].append(problem)


def main() -> int:
    """Run the demonstration; returns the exit code."""
    place = Path(tempfile.mkdtemp(prefix="leeward-releases-"))
    os.environ["LEEWARD_HOME"] = str(place / "home")
    shop = place / "shop"
    shutil.copytree(HERE, shop, ignore=shutil.ignore_patterns("__pycache__", "*.py[co]"))
    for file in (HERE / "releases").iterdir():
        shutil.copy(file, shop)
    os.chdir(shop)
    try:
        tell_story(shop)
        return 0
    except (StoryError, LeewardError) as error:
        output.error(str(error), getattr(error, "remedy", ""))
        return 1
    except KeyboardInterrupt:
        output.error("interrupted")
        return 130
    finally:
        clusters.stop(clusters.state_of(CLUSTER))
        shutil.rmtree(place, ignore_errors=True)


def tell_story(shop: Path) -> None:
    """Tell it.

    Raises:
        StoryError: it goes otherwise.
    """
    title("a cluster, its environments, and who may do what there")
    leeward("cluster", "start", "--name", CLUSTER)
    leeward("env", "apply", "--yes")
    os.environ["KUBECONFIG"] = str(asyncio.run(known_people(shop)))
    for name in ENVIRONMENTS:
        leeward("env", "set", "api-token=@config/api-token.txt", "--env", name)
    leeward("access", "matrix", "--env", "production")
    port = clusters.state_of(CLUSTER).load()["ingressPort"]
    with reading(port) as readers:
        title("1.0 goes all the way, with two people who agree")
        leeward("release", "create", "--version", "1.0")
        all_the_way("1.0", readers)
        title("1.1 has a broken health check: ci does not look, qa does, and goes back by itself")
        change(shop / "compose.yaml", '"healthcheck.py", "8080"', '"healthcheck.py", "8081"')
        leeward("release", "create", "--version", "1.1")
        leeward("promote", "1.1", "--to", "ci", "--yes")
        leeward("promote", "1.1", "--to", "qa", "--timeout", "8", "--yes", fails=True)
        title("1.2 is good")
        change(shop / "compose.yaml", '"healthcheck.py", "8081"', '"healthcheck.py", "8080"')
        change(shop / "app" / "web.py", "<h1>Storefront</h1>", "<h1>Storefront, new</h1>")
        leeward("release", "create", "--version", "1.2")
        all_the_way("1.2", readers)
        title("production goes back to 1.0, in one command")
        leeward("rollback", "production", "--reason", "the new heading frightens people", "--yes")
        leeward("history", "production")
        leeward("audit", "verify")
    for host, count in readers.read.items():
        lost = readers.failed[host]
        output.say(f"{host:<22} {count} requests, {len(lost)} failed{': ' + lost[0] if lost else ''}")
    if any(readers.failed.values()):
        raise StoryError("requests were lost")


def all_the_way(version: str, readers: Readers) -> None:
    """Bring a release through all environments; people read it in qa and production from then on."""
    leeward("promote", version, "--to", "ci", "--yes")
    leeward("promote", "--to", "qa", "--yes")
    if "qa.shop.localhost" not in readers.read:
        readers.start("qa.shop.localhost")
    leeward("approve", version, "--for", "uat", "--yes", context="dora")
    leeward("promote", "--to", "uat", "--yes")
    leeward("promote", "--to", "production", "--yes", fails=True)  # nobody has approved
    leeward("approve", version, "--for", "production", "--yes", context="dora")
    leeward("approve", version, "--for", "production", "--yes", context="carl")
    leeward("promote", "--to", "production", "--yes")
    if "shop.localhost" not in readers.read:
        readers.start("shop.localhost")
    leeward("promote", "--to", "demo", "--yes")


async def known_people(shop: Path) -> Path:
    """Return a kubeconfig with a context for each of the people."""
    found: dict[str, Access] = {}
    async with connect(clusters.state_of(CLUSTER)) as api:
        for name, group in PEOPLE.items():
            found[name] = await certified(api, name, [group])
    path = shop / "people.kubeconfig"
    write_kubeconfig(path, contexts_of(found))
    return path


@contextmanager
def reading(port: int) -> Iterator[Readers]:
    """Read pages until the end, whatever it is."""
    readers = Readers(port)
    try:
        yield readers
    finally:
        readers.stop()


def leeward(*arguments: str, context: str | None = None, fails: bool = False) -> None:
    """Run a command as somebody types it.

    Raises:
        StoryError: it ends otherwise than told.
    """
    who = f"{context or 'admin'}$"
    output.say(f"\n{who} leeward {' '.join(arguments)}")
    takes_cluster = arguments[0] != "cluster"
    more = ["--context", context] if context else ["--cluster", CLUSTER] if takes_cluster else []
    code = run([*arguments, *more])
    if bool(code) != fails:
        raise StoryError(f"`leeward {' '.join(arguments)}` ended with {code}")


def change(path: Path, old: str, new: str) -> None:
    """Change a file as a developer does."""
    text = path.read_text()
    if old not in text:
        raise StoryError(f"{path.name} has no {old}")
    path.write_text(text.replace(old, new))


def title(text: str) -> None:
    """Print what comes next."""
    output.say(f"\n== {text}")


if __name__ == "__main__":
    sys.exit(main())
