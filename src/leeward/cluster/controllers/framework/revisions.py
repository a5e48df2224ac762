"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had.

Source: pkg/controller/history/controller_history.go (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.controllers.framework.claims import claim
from leeward.cluster.interface.client import Client
from leeward.kube.objects import Obj, key_of, owner_reference
from leeward.kube.pods import template_hash

REVISIONS = "controllerrevisions.apps"


class Revisions:
    """Finds, makes and forgets revisions.

    Args:
        client: writes them.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def history(self, owner: Obj) -> list[Obj]:
        """Return the revisions of `owner`, oldest first; those an earlier owner left behind are adopted."""
        return sorted(claim(self._client, REVISIONS, owner), key=lambda each: int(each["revision"]))

    def current(self, owner: Obj) -> Obj:
        """Return the revision of the current template; made when missing, moved to the top when old."""
        template = owner["spec"]["template"]
        data = {"spec": {"template": template}}
        history = self.history(owner)
        newest = int(history[-1]["revision"]) if history else 0
        found = next((each for each in history if each["data"] == data), None)
        if found is not None:
            if int(found["revision"]) == newest:
                return found
            return self._client.update(REVISIONS, {**found, "revision": newest + 1})
        name = f"{owner['metadata']['name']}-{template_hash(template)}"
        return self._client.create(
            REVISIONS,
            {
                "metadata": {
                    "name": name,
                    "namespace": owner["metadata"]["namespace"],
                    "labels": (template.get("metadata") or {}).get("labels") or {},
                    "ownerReferences": [owner_reference(owner)],
                },
                "data": data,
                "revision": newest + 1,
            },
        )

    def clean_up(self, owner: Obj, *, keep: set[str]) -> None:
        """Delete the oldest revisions beyond the limit that nothing uses."""
        limit = owner["spec"].get("revisionHistoryLimit", 10)
        unused = [each for each in self.history(owner) if each["metadata"]["name"] not in keep]
        for each in unused[: max(0, len(unused) - limit)]:
            self._client.delete(REVISIONS, *key_of(each), uid=each["metadata"]["uid"])
