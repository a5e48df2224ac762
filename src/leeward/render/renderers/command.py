"""What the container runs: image, command, args, working directory, terminal.

Kubernetes expands ``$(NAME)`` and ``$$`` in command, args and env; Compose has already done its own
expansion, so both are escaped here and nothing else is touched.

Source: ``k8s.io/kubernetes/third_party/forked/golang/expansion`` (Kubernetes 1.36); Docker's rules
for ENTRYPOINT and CMD; the Compose Specification, "command", "entrypoint", "pull_policy".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Any

from leeward.render import naming
from leeward.render.dockerfile import dockerfile_of
from leeward.render.files import FileKind
from leeward.render.model import PodDraft, Renderer, ServiceContext

_PULL_POLICIES = {"always": "Always", "never": "Never"}
_REFERENCE = re.compile(  # github.com/distribution/reference, regexp.go; digests of any length
    r"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
    r"(?::\w[\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]+)?"
).fullmatch
_DOLLAR = re.compile(r"\$(?=[$(])")


def escape(text: str) -> str:
    """Return `text` such that Kubernetes' expansion gives it back unchanged."""
    return _DOLLAR.sub("$$", text) if "$" in text else text


def image_of(context: ServiceContext) -> str:
    """Return the image reference: given by the caller, else the file's, else the local build's."""
    service = context.service
    given = context.options.images.get(service.name)
    if given or service.image:
        return str(given or service.image)
    registry = context.project.plan.settings.registry
    if registry and not context.options.on_embedded:
        return f"{registry}/{context.plan.name}:latest"
    project = naming.dns_label(context.project.project.name)
    return f"leeward.local/{project}/{context.plan.name}:latest"


def _argv(words: Iterable[str]) -> list[str]:
    return [escape(word) for word in words]


def _command(context: ServiceContext, container: dict[str, Any]) -> None:
    service = context.service
    entrypoint, command = service.entrypoint, service.command
    if entrypoint == () and command:
        container["command"] = _argv(command)
        return
    if entrypoint:
        container["command"] = _argv(entrypoint)
    elif entrypoint == ():
        context.warn(
            ("entrypoint",),
            "not-expressible",
            "The image's entrypoint cannot be cleared without a command.",
            "Write the command.",
        )
    if command:
        container["args"] = _argv(command)
    elif command == () and not entrypoint:
        context.warn(
            ("command",),
            "not-expressible",
            "The image's command cannot be cleared.",
            "Write the entrypoint too.",
        )


def _check_build(context: ServiceContext) -> None:
    """Report what the image is built from and is not there: building it comes later, but would fail."""
    build, files = context.service.build, context.project.options.files
    if build is None or "://" in build.context:
        return
    if files.kind(build.context) is FileKind.MISSING:
        missing, remedy = build.context, "Create the directory, or correct build.context."
    elif build.dockerfile_inline is None and files.kind(dockerfile_of(build)) is FileKind.MISSING:
        missing, remedy = dockerfile_of(build), "Create the Dockerfile, or correct build.dockerfile."
    else:
        return
    shown = posixpath.relpath(missing, str(context.project.project.working_dir))
    context.warn(("build",), "missing-build", f"There is no {shown}: the image cannot be built.", remedy)


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    service, container = context.service, draft.container
    container["name"] = context.plan.name
    container["image"] = image_of(context)
    if not _REFERENCE(container["image"]):
        context.error(
            ("image",),
            "invalid-image",
            f"{container['image']!r} is no image reference.",
            "Write name:tag in lower case, such as registry.example.com/shop/web:1.2; is a variable not set?",
        )
    _check_build(context)
    container["imagePullPolicy"] = _PULL_POLICIES.get(service.pull_policy or "", "IfNotPresent")
    _command(context, container)
    if service.working_dir:
        container["workingDir"] = service.working_dir
    if service.stdin_open:
        container["stdin"] = True
    if service.tty:
        container["tty"] = True
    if context.plan.ports:
        container["ports"] = [
            {"name": port.name, "containerPort": port.port, "protocol": port.protocol}
            for port in context.plan.ports
        ]


DESCRIPTOR = Renderer(name="command", pod=_pod)
