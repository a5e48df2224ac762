"""An AWS that is played: moto, with the EKS of these tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """Return the URL of a server that plays AWS, with nothing in it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.infra.moto_eks", "0"],
        env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), "the server did not start"
        yield url
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
