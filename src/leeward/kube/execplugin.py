"""Credentials from the program that a kubeconfig names, as ``aws eks get-token`` or ``leeward aws token``.

The program is told what it is for in ``KUBERNETES_EXEC_INFO`` and answers with an ExecCredential on its
output, which is in no message: it has secrets. What it says on its error output is for people and passed on.

Source: "client-go credential plugins" of the Kubernetes documentation;
``k8s.io/client-go/plugin/pkg/client/auth/exec/exec.go``.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from leeward.base.clock import PassiveClock
from leeward.base.errors import OperationError, UserInputError
from leeward.kube.credentials import Credential, CredentialCache
from leeward.kube.kubeconfig import Access
from leeward.kube.objects import parse_time

_GROUP = "client.authentication.k8s.io"
API_VERSION = f"{_GROUP}/v1"
_KNOWN = (API_VERSION, f"{_GROUP}/v1beta1")
_INFO = "KUBERNETES_EXEC_INFO"


def with_plugin(access: Access, variables: Mapping[str, str], clock: PassiveClock) -> Access:
    """Return `access` with the credentials of its plug-in, where it has one.

    Args:
        access: of a kubeconfig.
        variables: of the environment that the program gets.
        clock: tells when a credential is too old.
    """
    if not access.exec or access.token or access.credentials:
        return access
    return replace(access, credentials=CredentialCache(partial(run_plugin, access, variables), clock))


def run_plugin(access: Access, variables: Mapping[str, str]) -> Credential:
    """Run the plug-in of `access`; returns what it answers.

    Raises:
        UserInputError: the kubeconfig is wrong about it, or it is not installed.
        OperationError: it fails, or answers nothing that can be used.
    """
    wanted = access.exec or {}
    command, version = str(wanted.get("command") or ""), str(wanted.get("apiVersion") or "")
    if not command or version not in _KNOWN:
        raise UserInputError(
            f"the kubeconfig's credential plug-in {command!r} speaks {version!r}",
            remedy=f"Write a command, and apiVersion: {API_VERSION}.",
        )
    added = {str(each["name"]): str(each["value"]) for each in wanted.get("env") or ()}
    interactive = _may_ask(command, str(wanted.get("interactiveMode") or "IfAvailable"))
    info = json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": _told(access, interactive)})
    try:
        done = subprocess.run(
            [command, *map(str, wanted.get("args") or ())],
            env={**variables, **added, _INFO: info},
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=False,
        )
    except OSError as error:
        raise UserInputError(
            f"the kubeconfig needs the credential plug-in {command}: {error.strerror}",
            remedy=str(wanted.get("installHint") or "Install it, or use another context.").strip(),
        ) from error
    if done.returncode:
        raise OperationError(
            f"the credential plug-in {command} failed with exit code {done.returncode}",
            remedy="It says above why; log in again if your credentials are too old.",
        )
    return _credential(done.stdout, command, version)


def _may_ask(command: str, mode: str) -> bool:
    """Tell whether the program may read from the terminal."""
    has_terminal = sys.stdin is not None and sys.stdin.isatty()
    if mode == "Always" and not has_terminal:
        raise OperationError(
            f"the credential plug-in {command} has to ask, and there is no terminal",
            remedy="Run it in a terminal first, or use a context whose credentials need no answer.",
        )
    return has_terminal and mode != "Never"


def _told(access: Access, interactive: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"interactive": interactive}
    if (access.exec or {}).get("provideClusterInfo"):
        ca = base64.b64encode((access.ca_pem or "").encode()).decode("ascii")
        cluster = {
            "server": access.server,
            "tls-server-name": access.server_name,
            "insecure-skip-tls-verify": access.insecure,
            "certificate-authority-data": ca,
            "proxy-url": access.proxy,
        }
        told["cluster"] = {key: value for key, value in cluster.items() if value}
    return told


def _credential(answer: bytes, command: str, version: str) -> Credential:
    """Return the credential in a plug-in's answer. Never chained: what could not be read may be a secret."""
    try:
        document = json.loads(answer)
        status, spoken = document["status"], document["apiVersion"]
        ends = status.get("expirationTimestamp")
        found = Credential(
            token=status.get("token"),
            certificate_pem=_encoded(status.get("clientCertificateData")),
            key_pem=_encoded(status.get("clientKeyData")),
            expires=parse_time(ends) if ends else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise OperationError(f"the answer of the credential plug-in {command} is no ExecCredential") from None
    if spoken != version:
        raise OperationError(f"the credential plug-in {command} answers in {spoken}, not in {version}")
    if not found.token and not (found.certificate_pem and found.key_pem):
        raise OperationError(f"the credential plug-in {command} gives neither token nor certificate")
    return found


def _encoded(text: str | None) -> bytes | None:
    return text.encode() if text else None
