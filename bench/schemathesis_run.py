"""Schemathesis over every OpenAPI v3 document that the server has: no request may be answered with a 5xx.

Run: python bench/schemathesis_run.py [--examples 25] [--seed 1] [DOCUMENT...], such as apis/apps/v1
uv, which is here after `make setup`, fetches schemathesis when it is not there yet. Exits 1 when it finds
something. 501 for what is not served and 504 for a revision that is not there yet are told apart in
bench/hostile.py only: here they would be findings.
"""

from __future__ import annotations

import argparse
import json
import re
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION = "4.32.5"
_COUNT = re.compile(r"(\d+) generated")


def documents(url: str, token: str) -> list[str]:
    """Return the names of the documents in the index."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    asked = urllib.request.Request(f"{url}/openapi/v3", headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, context=tls) as answer:
        return sorted(json.load(answer)["paths"])


def check(url: str, token: str, name: str, options: argparse.Namespace) -> tuple[bool, int, str]:
    """Return whether a document's operations held, how many requests that took, and what was said."""
    command = [
        str(Path(sys.executable).absolute().with_name("uv")), "tool", "run", f"schemathesis@{VERSION}",
        "run", f"{url}/openapi/v3/{name}", "--url", url, "--header", f"Authorization: Bearer {token}",
        "--tls-verify", "false", "--checks", "not_a_server_error", "--phases", options.phases,
        "--max-examples", str(options.examples), "--seed", str(options.seed), "--continue-on-failure",
        "--workers", "2", "--suppress-health-check", "all", "--request-timeout", "30", "--warnings", "off",
        "--exclude-path-regex", "/watch/|/proxy|/exec$|/attach$|/portforward$",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:  # for what it remembers
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=scratch)
    found = _COUNT.search(done.stdout)
    return done.returncode == 0, int(found[1]) if found else 0, done.stdout + done.stderr


def main() -> int:
    """Run all, print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", nargs="*", metavar="DOCUMENT")
    parser.add_argument("--examples", type=int, default=25, help="for each operation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phases", default="examples,fuzzing")
    options = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "conformance" / "server.py")], stdout=subprocess.PIPE, cwd=ROOT
    )
    began, total, failed = time.monotonic(), 0, 0
    try:
        assert server.stdout is not None
        url, token = server.stdout.readline().decode().split()
        for name in options.documents or documents(url, token):
            good, count, text = check(url, token, name, options)
            total, failed = total + count, failed + (not good)
            sys.stdout.write(f"{name}: {count} requests{'' if good else ' FAILED'}\n")
            if not good:
                sys.stdout.write(text[:8000] + "\n")
            sys.stdout.flush()
    finally:
        server.terminate()
        server.wait()
    seconds = time.monotonic() - began
    sys.stdout.write(f"{total} requests in {seconds:.0f} s; {failed} documents failed\n")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main())
