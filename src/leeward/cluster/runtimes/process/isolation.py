"""How far containers can be kept apart on this machine, decided by trying."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Mode = Literal["root", "userns", "plain"]
_PROBE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Isolation:
    """What containers get of their own."""

    mode: Mode
    limits: Sequence[str]  # what does not work, one sentence each, for people


_NO_NETWORK = (
    "Without root, Pods share this machine's network: two Pods cannot listen on the same port, so run one "
    "replica of each service and give services different ports; run as root for a network per Pod."
)
_NO_FILES = (
    "Pods share this machine's file system: volumes, configs and secrets appear only inside the working "
    "directory of their container, and Compose names do not resolve."
)


def find_isolation() -> Isolation:
    """Decide by trying: root gets everything, Linux users a file system of their own, others nothing."""
    if sys.platform != "linux":
        return Isolation("plain", (_NO_NETWORK, _NO_FILES))
    if os.geteuid() == 0:
        return Isolation("root", ())
    if _user_namespaces_work():
        return Isolation("userns", (_NO_NETWORK,))
    reason = "This machine does not let users make namespaces. "
    return Isolation("plain", (_NO_NETWORK, reason + _NO_FILES))


def _user_namespaces_work() -> bool:
    """Try what a container needs: a user namespace with a bind mount in it."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from leeward.cluster.runtimes.process.launcher import children, linux; import os;"
        "children.make_user_namespace(os.getuid(), os.getgid());"
        "linux.attach('/usr', '/usr', flags=linux.MS_BIND | linux.MS_REC)"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-S", "-E", "-c", script, source_root()],
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def source_root() -> str:
    """Return the directory that holds the package ``leeward``."""
    here = os.path.abspath(__file__)
    for _ in range(5):
        here = os.path.dirname(here)
    return here
