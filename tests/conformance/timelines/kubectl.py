"""The few kubectl commands of the timelines, as what they do over the API.

Source: k8s.io/kubectl (pkg/polymorphichelpers, pkg/cmd/create/create_job.go), Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leeward.cluster.interface.client import Client
from leeward.kube.objects import Obj, annotations_of, controller_of, key_of, labels_of, owner_reference
from leeward.kube.resources import BUILT_IN, Resource
from leeward.kube.selectors import matches_labels
from leeward.kube.wellknown import POD_TEMPLATE_HASH
from tests.conformance.timelines.world import NAMESPACE

REVISION = "deployment.kubernetes.io/revision"
DEPLOYMENTS = "deployments.apps"


def run_kubectl(client: Client, arguments: list[str]) -> Obj:
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
    return {"stderr": "", **_VERBS[verb](client, rest, flags)}


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


def _create_job(client: Client, words: list[str], flags: dict[str, str]) -> Obj:
    name = words[0]
    parent = client.get("cronjobs.batch", NAMESPACE, flags["from"].partition("/")[2])
    template = parent["spec"]["jobTemplate"]
    meta = template.get("metadata") or {}
    owner = owner_reference(parent)
    del owner["blockOwnerDeletion"]
    client.create(
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


def _replica_sets(client: Client, deployment: Obj) -> dict[int, Obj]:
    """Return revision → ReplicaSet."""
    found = client.controlled_by("replicasets.apps", deployment["metadata"]["uid"])
    return {int(annotations_of(each)[REVISION]): each for each in found}


def _rollout_undo(client: Client, words: list[str], flags: dict[str, str]) -> Obj:
    row, name = _place(words)
    deployment = client.get(DEPLOYMENTS, NAMESPACE, name)
    sets = _replica_sets(client, deployment)
    target = sets[int(flags.get("to-revision") or 0) or sorted(sets)[-2]]
    template = target["spec"]["template"]
    labels = {k: v for k, v in template["metadata"]["labels"].items() if k != POD_TEMPLATE_HASH}
    template = {**template, "metadata": {**template["metadata"], "labels": labels}}
    patch = [{"op": "replace", "path": "/spec/template", "value": template}]
    client.patch(DEPLOYMENTS, NAMESPACE, name, patch, patch_type="json")
    return {"stdout": f"{_printed(row, name)} rolled back\n"}


def _rollout_history(client: Client, words: list[str], flags: dict[str, str]) -> Obj:
    row, name = _place(words)
    sets = _replica_sets(client, client.get(DEPLOYMENTS, NAMESPACE, name))
    causes = {
        number: annotations_of(each).get("kubernetes.io/change-cause", "<none>")
        for number, each in sets.items()
    }
    lines = "".join(f"{number:<9} {causes[number]}\n" for number in sorted(causes))
    return {"stdout": f"{_printed(row, name)} \nREVISION  CHANGE-CAUSE\n{lines}\n"}


def _rollout(done: str, spec: Callable[[Obj], Obj]) -> Callable[[Client, list[str], dict[str, str]], Obj]:
    def run(client: Client, words: list[str], flags: dict[str, str]) -> Obj:
        row, name = _place(words)
        patch = {"spec": spec(client.get(row.name, NAMESPACE, name))}
        client.patch(row.name, NAMESPACE, name, patch, patch_type="strategic")
        return {"stdout": f"{_printed(row, name)} {done}\n"}

    return run


def _restarted(obj: Obj) -> Obj:
    return {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}


def _scale(client: Client, words: list[str], flags: dict[str, str]) -> Obj:
    row, name = _place(words)
    patch = {"spec": {"replicas": int(flags["replicas"])}}
    client.patch(row.name, NAMESPACE, name, patch, patch_type="merge", subresource="scale")
    return {"stdout": f"{_printed(row, name)} scaled\n"}


def _set_image(client: Client, words: list[str], flags: dict[str, str]) -> Obj:
    row, name = _place(words)
    images = [dict(zip(("name", "image"), each.split("=", 1), strict=True)) for each in words if "=" in each]
    patch = {"spec": {"template": {"spec": {"containers": images}}}}
    client.patch(row.name, NAMESPACE, name, patch, patch_type="strategic")
    return {"stdout": f"{_printed(row, name)} image updated\n"}


def _delete(client: Client, words: list[str], flags: dict[str, str]) -> Obj:
    row = _resource(words[0].partition("/")[0])
    if "l" in flags:
        wanted = dict(part.split("=", 1) for part in flags["l"].split(","))
        found = [each for each in client.list(row.name, NAMESPACE) if matches_labels(wanted, labels_of(each))]
        names = [each["metadata"]["name"] for each in found]
    else:
        names = [_place(words)[1]]
    chosen: Any = {"orphan": "Orphan", "foreground": "Foreground"}.get(flags.get("cascade", ""), "Background")
    lines = []
    for name in names:
        client.delete(row.name, _namespace(row), name, propagation=chosen)
        kind = f"{row.singular}.{row.group}" if row.group else row.singular
        in_namespace = f" from {NAMESPACE} namespace" if row.namespaced else ""
        lines.append(
            f"{_printed(row, name)}\n"
            if flags.get("o") == "name"
            else f'{kind} "{name}" deleted{in_namespace}\n'
        )
    if row.namespaced:
        return {"stdout": "".join(lines)}
    warning = "Warning: deleting cluster-scoped resources, not scoped to the provided namespace\n"
    return {"stdout": "".join(lines), "stderr": warning}


def _cordon(wanted: bool) -> Callable[[Client, list[str], dict[str, str]], Obj]:
    def run(client: Client, words: list[str], flags: dict[str, str]) -> Obj:
        patch = {"spec": {"unschedulable": True if wanted else None}}
        client.patch("nodes", "", words[0], patch, patch_type="strategic")
        return {"stdout": f"node/{words[0]} {'cordoned' if wanted else 'uncordoned'}\n"}

    return run


def _drain(client: Client, words: list[str], flags: dict[str, str]) -> Obj:
    """Cordon, then evict once whatever no DaemonSet owns."""
    lines = [_cordon(True)(client, words, flags)["stdout"]]
    for pod in client.pods_on(words[0]):
        if (controller_of(pod) or {}).get("kind") != "DaemonSet":
            client.evict(*key_of(pod))
            lines.append(f"evicting pod {key_of(pod)}\n")
    return {"stdout": "".join(lines)}


_VERBS: dict[str, Callable[[Client, list[str], dict[str, str]], Obj]] = {
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
