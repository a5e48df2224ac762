"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had.

Source: pkg/controller/history/controller_history.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable

from leeward.cluster.controllers.framework.claims import claim
from leeward.cluster.interface.client import Client
from leeward.kube.objects import Obj, key_of, owner_reference

REVISIONS = "controllerrevisions.apps"
Digest = Callable[[Obj, Obj], str]  # of an owner and a revision's data


class Revisions:
    """Finds, makes and forgets revisions.

    Args:
        client: writes them.
        digest: gives the hash that a revision is called by.
        label: takes the hash.
    """

    def __init__(self, client: Client, digest: Digest, label: str) -> None:
        self._client = client
        self._digest = digest
        self._label = label

    def history(self, owner: Obj) -> list[Obj]:
        """Return the revisions of `owner`, oldest first; those an earlier owner left behind are adopted."""
        return sorted(claim(self._client, REVISIONS, owner), key=lambda each: int(each["revision"]))

    def current(self, owner: Obj) -> Obj:
        """Return the revision of the current template; made when missing, moved to the top when old."""
        template = owner["spec"]["template"]
        data = {"spec": {"template": {**template, "$patch": "replace"}}}
        history = self.history(owner)
        newest = int(history[-1]["revision"]) if history else 0
        found = next((each for each in history if each["data"] == data), None)
        if found is not None:
            if int(found["revision"]) == newest:
                return found
            return self._client.update(REVISIONS, {**found, "revision": newest + 1})
        digest, meta = self._digest(owner, data), owner["metadata"]
        labels = {**((template.get("metadata") or {}).get("labels") or {}), self._label: digest}
        revision: Obj = {
            "metadata": {
                "name": f"{meta['name']}-{digest}",
                "namespace": meta["namespace"],
                "labels": labels,
                "ownerReferences": [owner_reference(owner)],
            },
            "data": data,
            "revision": newest + 1,
        }
        if meta.get("annotations"):
            revision["metadata"]["annotations"] = meta["annotations"]
        return self._client.create(REVISIONS, revision)

    def clean_up(self, owner: Obj, *, keep: set[str]) -> None:
        """Delete the oldest revisions beyond the limit that nothing uses."""
        limit = owner["spec"].get("revisionHistoryLimit", 10)
        unused = [each for each in self.history(owner) if each["metadata"]["name"] not in keep]
        for each in unused[: max(0, len(unused) - limit)]:
            self._client.delete(REVISIONS, *key_of(each), uid=each["metadata"]["uid"])
