"""Whether an image has a shell, as far as the Compose file shows.

What a Compose file runs with ``/bin/sh`` must be there; an image of which it runs programs only may be
without one, and anything put into its Pod that needs a shell would keep the Pod from starting.
"""

from __future__ import annotations

import posixpath

from leeward.compose.project import Service

SHELL = "/bin/sh"
_SHELLS = frozenset(("sh", "ash", "bash", "dash"))


def has_shell(service: Service) -> bool:
    """Tell whether the service's own container surely has ``/bin/sh``."""
    check = service.healthcheck.test if service.healthcheck else ()
    if check[:1] == ("CMD-SHELL",):
        return True
    hooks = [hook.command for hook in (*service.post_start, *service.pre_stop)]
    for words in (service.entrypoint or (), service.command or (), check[1:], *hooks):
        if words and posixpath.basename(words[0]) in _SHELLS:
            return True
    return False
