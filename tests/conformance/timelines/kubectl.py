"""The few kubectl commands of the timelines, as what they do over the API.

Source: k8s.io/kubectl (pkg/polymorphichelpers, pkg/cmd/create/create_job.go), Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from leeward.cluster.interface.client import Client
from leeward.kube.objects import Obj, annotations_of, controller_of, key_of, labels_of, owner_reference
from leeward.kube.resources import BUILT_IN, Resource
from leeward.kube.selectors import matches_labels
from leeward.kube.status import TooManyRequestsError
from leeward.kube.wellknown import POD_TEMPLATE_HASH
from tests.conformance.timelines.world import NAMESPACE

REVISION = "deployment.kubernetes.io/revision"
RETRY_SECONDS, DRAIN_SECONDS, POLL_SECONDS = 5.0, 60.0, 0.1


@dataclass(frozen=True, slots=True)
class Shell:
    """Where a command runs."""

    client: Client
    wait: Callable[[float], object]  # seconds


def run_kubectl(shell: Shell, arguments: list[str]) -> Obj:
    """Return the standard output (and error) of a command."""
    words = [each for each in arguments if not each.startswith("-")]
    flags = dict((each.lstrip("-").partition("=")[::2]) for each in arguments if each.startswith("--"))
    if "-l" in arguments:
        flags["l"] = arguments[arguments.index("-l") + 1]
        words.remove(flags["l"])
    if "-o" in arguments:
        flags["o"] = arguments[arguments.index("-o") + 1]
        words.remove(flags["o"])
    verb = "_".join(words[:2]) if words[0] in ("rollout", "create", "set") else words[0]
    rest = words[2:] if "_" in verb else words[1:]
    return {"stderr": "", **_VERBS[verb](shell, rest, flags)}


def _resource(word: str) -> Resource:
    return next(
        row
        for row in BUILT_IN
        if word in (row.plural, row.singular, *row.short_names) and row.group != "events.k8s.io"
    )


def _place(words: list[str]) -> tuple[Resource, str]:
    kind, _, name = words[0].partition("/")
    return _resource(kind), name or words[1]


def _namespace(row: Resource) -> str:
    return NAMESPACE if row.namespaced else ""


def _printed(row: Resource, name: str) -> str:
    return f"{row.singular}.{row.group}/{name}" if row.group else f"{row.singular}/{name}"


def _create_job(shell: Shell, words: list[str], flags: dict[str, str]) -> Obj:
    name = words[0]
    parent = shell.client.get("cronjobs.batch", NAMESPACE, flags["from"].partition("/")[2])
    template = parent["spec"]["jobTemplate"]
    meta = template.get("metadata") or {}
    owner = owner_reference(parent)
    del owner["blockOwnerDeletion"]
    shell.client.create(
        "jobs.batch",
        {
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "labels": meta.get("labels") or {},
                "annotations": {
                    **(meta.get("annotations") or {}),
                    "cronjob.kubernetes.io/instantiate": "manual",
                },
                "ownerReferences": [owner],
            },
            "spec": template["spec"],
        },
    )
    return {"stdout": f"job.batch/{name} created\n"}


def _replica_sets(shell: Shell, deployment: Obj) -> dict[int, Obj]:
    """Return revision → ReplicaSet."""
    found = shell.client.controlled_by("replicasets.apps", deployment["metadata"]["uid"])
    return {int(annotations_of(each)[REVISION]): each for each in found}


def _history(shell: Shell, row: Resource, obj: Obj) -> dict[int, Obj]:
    """Return revision → ReplicaSet or ControllerRevision."""
    if row.kind == "Deployment":
        return _replica_sets(shell, obj)
    found = shell.client.controlled_by("controllerrevisions.apps", obj["metadata"]["uid"])
    return {int(each["revision"]): each for each in found}


def _rollout_undo(shell: Shell, words: list[str], flags: dict[str, str]) -> Obj:
    row, name = _place(words)
    obj = shell.client.get(row.name, NAMESPACE, name)
    history = _history(shell, row, obj)
    target = history[int(flags.get("to-revision") or 0) or sorted(history)[-2]]
    if row.kind != "Deployment":
        shell.client.patch(row.name, NAMESPACE, name, target["data"], patch_type="strategic")
        return {"stdout": f"{_printed(row, name)} rolled back\n"}
    template = target["spec"]["template"]
    labels = {k: v for k, v in template["metadata"]["labels"].items() if k != POD_TEMPLATE_HASH}
    template = {**template, "metadata": {**template["metadata"], "labels": labels}}
    patch = [{"op": "replace", "path": "/spec/template", "value": template}]
    shell.client.patch(row.name, NAMESPACE, name, patch, patch_type="json")
    return {"stdout": f"{_printed(row, name)} rolled back\n"}


def _rollout_history(shell: Shell, words: list[str], flags: dict[str, str]) -> Obj:
    row, name = _place(words)
    history = _history(shell, row, shell.client.get(row.name, NAMESPACE, name))
    causes = {
        number: annotations_of(each).get("kubernetes.io/change-cause", "<none>")
        for number, each in history.items()
    }
    lines = "".join(f"{number:<9} {causes[number]}\n" for number in sorted(causes))
    return {"stdout": f"{_printed(row, name)} \nREVISION  CHANGE-CAUSE\n{lines}\n"}


def _rollout(done: str, spec: Callable[[Obj], Obj]) -> Callable[[Shell, list[str], dict[str, str]], Obj]:
    def run(shell: Shell, words: list[str], flags: dict[str, str]) -> Obj:
        row, name = _place(words)
        patch = {"spec": spec(shell.client.get(row.name, NAMESPACE, name))}
        shell.client.patch(row.name, NAMESPACE, name, patch, patch_type="strategic")
        return {"stdout": f"{_printed(row, name)} {done}\n"}

    return run


def _restarted(obj: Obj) -> Obj:
    return {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}


def _scale(shell: Shell, words: list[str], flags: dict[str, str]) -> Obj:
    row, name = _place(words)
    patch = {"spec": {"replicas": int(flags["replicas"])}}
    shell.client.patch(row.name, NAMESPACE, name, patch, patch_type="merge", subresource="scale")
    return {"stdout": f"{_printed(row, name)} scaled\n"}


def _set_image(shell: Shell, words: list[str], flags: dict[str, str]) -> Obj:
    row, name = _place(words)
    images = [dict(zip(("name", "image"), each.split("=", 1), strict=True)) for each in words if "=" in each]
    patch = {"spec": {"template": {"spec": {"containers": images}}}}
    shell.client.patch(row.name, NAMESPACE, name, patch, patch_type="strategic")
    return {"stdout": f"{_printed(row, name)} image updated\n"}


def _delete(shell: Shell, words: list[str], flags: dict[str, str]) -> Obj:
    row = _resource(words[0].partition("/")[0])
    if "l" in flags:
        wanted = dict(part.split("=", 1) for part in flags["l"].split(","))
        found = [
            each for each in shell.client.list(row.name, NAMESPACE) if matches_labels(wanted, labels_of(each))
        ]
        names = [each["metadata"]["name"] for each in found]
    else:
        names = [_place(words)[1]]
    chosen: Any = {"orphan": "Orphan", "foreground": "Foreground"}.get(flags.get("cascade", ""), "Background")
    lines = []
    for name in names:
        shell.client.delete(row.name, _namespace(row), name, propagation=chosen)
        kind = f"{row.singular}.{row.group}" if row.group else row.singular
        in_namespace = f" from {NAMESPACE} namespace" if row.namespaced else ""
        lines.append(
            f"{_printed(row, name)}\n"
            if flags.get("o") == "name"
            else f'{kind} "{name}" deleted{in_namespace}\n'
        )
    if flags.get("wait") != "false":
        place = _namespace(row)
        _await(shell, lambda: all(shell.client.find(row.name, place, name) is None for name in names))
    if row.namespaced:
        return {"stdout": "".join(lines)}
    warning = "Warning: deleting cluster-scoped resources, not scoped to the provided namespace\n"
    return {"stdout": "".join(lines), "stderr": warning}


def _cordon(wanted: bool) -> Callable[[Shell, list[str], dict[str, str]], Obj]:
    def run(shell: Shell, words: list[str], flags: dict[str, str]) -> Obj:
        patch = {"spec": {"unschedulable": True if wanted else None}}
        shell.client.patch("nodes", "", words[0], patch, patch_type="strategic")
        return {"stdout": f"node/{words[0]} {'cordoned' if wanted else 'uncordoned'}\n"}

    return run


def _drain(shell: Shell, words: list[str], flags: dict[str, str]) -> Obj:
    """Cordon, then evict whatever no DaemonSet owns, again and again while a budget forbids it."""
    out, err = [_cordon(True)(shell, words, flags)["stdout"]], ""
    pods = [
        pod for pod in shell.client.pods_on(words[0]) if (controller_of(pod) or {}).get("kind") != "DaemonSet"
    ]
    waiting, passed = list(pods), 0.0
    while waiting and passed < DRAIN_SECONDS:
        left = []
        for pod in waiting:
            namespace, name = key_of(pod)
            out.append(f"evicting pod {namespace}/{name}\n")
            try:
                shell.client.evict(namespace, name)
            except TooManyRequestsError as error:
                left.append(pod)
                err += f'error when evicting pods/"{name}" -n "{namespace}" (will retry after 5s): {error}\n'
        waiting = left
        shell.wait(RETRY_SECONDS if waiting else 1.0)
        passed += RETRY_SECONDS
    _await(shell, lambda: all(shell.client.find("pods", *key_of(pod)) is None for pod in pods))
    out += [f"pod/{key_of(pod).name} evicted\n" for pod in pods]
    return {"stdout": "".join([*out, f"node/{words[0]} drained\n"]), "stderr": err}


def _await(shell: Shell, done: Callable[[], bool]) -> None:
    for _ in range(round(DRAIN_SECONDS / POLL_SECONDS)):
        if done():
            return
        shell.wait(POLL_SECONDS)


_VERBS: dict[str, Callable[[Shell, list[str], dict[str, str]], Obj]] = {
    "create_job": _create_job,
    "rollout_undo": _rollout_undo,
    "rollout_history": _rollout_history,
    "rollout_pause": _rollout("paused", lambda obj: {"paused": True}),
    "rollout_resume": _rollout("resumed", lambda obj: {"paused": None}),
    "rollout_restart": _rollout("restarted", _restarted),
    "scale": _scale,
    "set_image": _set_image,
    "delete": _delete,
    "cordon": _cordon(True),
    "uncordon": _cordon(False),
    "drain": _drain,
}
