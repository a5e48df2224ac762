"""``/healthz``, ``/livez`` and ``/readyz``, whole or one check of them.

Source: k8s.io/apiserver/pkg/server/healthz/healthz.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from leeward.cluster.apiserver.http import Request, Response, text_response

ENDPOINTS = ("healthz", "livez", "readyz")
_CHECKS = ("ping",)  # what holds whenever there is an answer


class Health:
    """Answers for the server.

    Args:
        ready: names the checks that fail now; empty when the cluster is ready.
    """

    def __init__(self, ready: Callable[[], Iterable[str]]) -> None:
        self._ready = ready

    def answer(self, request: Request) -> Response:
        """Answer a request below one of ENDPOINTS."""
        endpoint, _, check = request.path.strip("/").partition("/")
        failing = list(self._ready()) if endpoint == "readyz" else []
        if check:
            return _one(endpoint, check, failing)
        left_out = {name for value in request.query.all("exclude") for name in value.split(",")}
        lines = [f"[+]{name} excluded: ok" if name in left_out else f"[+]{name} ok" for name in _CHECKS]
        lines += [f"[-]{name} failed: reason withheld" for name in failing if name not in left_out]
        failed = any(name not in left_out for name in failing)
        lines += [
            f"warn: some health checks cannot be excluded: no matches for {name}"
            for name in sorted(left_out - {*_CHECKS, *failing})
        ]
        if failed:
            return text_response("\n".join([*lines, f"{endpoint} check failed", ""]), status=500)
        if request.query.all("verbose"):
            return text_response("\n".join([*lines, f"{endpoint} check passed", ""]))
        return text_response("ok")


def _one(endpoint: str, check: str, failing: list[str]) -> Response:
    if check in failing:
        return text_response(f"internal server error: {check} failed\n", status=500)
    return text_response("ok") if check in _CHECKS else text_response("404 page not found\n", status=404)
