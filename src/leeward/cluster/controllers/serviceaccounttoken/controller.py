"""The tokens controller: Secrets of type service-account-token get a token, and go with their account.

Source: ``pkg/controller/serviceaccount/tokens_controller.go`` (1.36).
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, annotations_of, is_terminating, key_of

TYPE = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"


class TokensController:
    """One key a Secret."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._root_ca = context.root_ca

    @property
    def resources(self) -> Collection[str]:
        return ("secrets", "serviceaccounts")

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == "secrets":
            return [key_of(event.object)] if event.object.get("type") == TYPE else ()
        namespace, name = key_of(event.object)
        secrets = self._client.list("secrets", namespace)
        return [key_of(each) for each in secrets if annotations_of(each).get(ACCOUNT_NAME) == name]

    def sync(self, key: ObjectKey) -> float | None:
        """Fill in one Secret, or remove it when its account is gone."""
        secret = self._client.find("secrets", key.namespace, key.name)
        if secret is None or secret.get("type") != TYPE or is_terminating(secret):
            return None
        notes = annotations_of(secret)
        account = self._client.find("serviceaccounts", key.namespace, notes.get(ACCOUNT_NAME) or "")
        uid = notes.get(ACCOUNT_UID)
        if account is None or (uid and uid != account["metadata"]["uid"]):
            self._client.delete("secrets", key.namespace, key.name, uid=secret["metadata"]["uid"])
            return None
        data = self._data(secret, account)
        if data != (secret.get("data") or {}) or not uid:
            meta = secret["metadata"]
            noted = {**notes, ACCOUNT_UID: account["metadata"]["uid"]}
            self._client.update(
                "secrets", {**secret, "metadata": {**meta, "annotations": noted}, "data": data}
            )
        return None

    def _data(self, secret: Obj, account: Obj) -> dict[str, str]:
        data = dict(secret.get("data") or {})
        data["ca.crt"] = _encoded(self._root_ca)
        data.setdefault("namespace", _encoded(secret["metadata"]["namespace"]))
        if not data.get("token"):
            data["token"] = _encoded(self._client.secret_token(account, secret))
        return data


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


DESCRIPTOR = ControllerDescriptor(name="serviceaccount-token-controller", build=TokensController)
