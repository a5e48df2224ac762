"""Custom objects in another version, when a webhook converts them.

A definition with the strategy ``Webhook`` says which; its answers are checked as upstream checks them.
Whatever a webhook says, metadata stays but for labels and annotations, and fields that the version has not
are pruned.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from leeward.base.ids import IdSource
from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.webhooks.calls import HookCall
from leeward.cluster.registry.admission.webhooks.dispatch import Asking
from leeward.cluster.registry.admission.webhooks.targets import UnresolvedError, make_call
from leeward.cluster.registry.custom.strategies import schema_of
from leeward.cluster.registry.custom.structure import default, prune
from leeward.cluster.registry.validation.formats import annotation_failures, label_failures
from leeward.kube.objects import Obj
from leeward.kube.status import StatusError

_GROUP = "apiextensions.k8s.io"
_SECONDS = 30
_SAME = (("name", "name"), ("namespace", "namespace"), ("uid", "UID"))


class ConversionError(StatusError):
    """Objects cannot be had in a version; upstream tells no reason."""

    code = 500
    reason = ""


class WebhookConversion:
    """Asks the webhooks of definitions.

    Args:
        definition: returns the definition of a resource; None: it has none.
        reader: Services and their endpoints.
        ids: uids of questions.
    """

    def __init__(self, definition: Callable[[str], Obj | None], reader: Reader, ids: IdSource) -> None:
        self._definition = definition
        self._reader = reader
        self._ids = ids
        self._random = Random(0)

    def spec(self, name: str) -> Obj | None:
        """Return the definition's spec of a resource whose versions a webhook converts, else None."""
        definition = self._definition(name)
        spec: Obj | None = definition and definition["spec"]
        return spec if spec and (spec.get("conversion") or {}).get("strategy") == "Webhook" else None

    def convert(self, spec: Obj, objects: Sequence[Obj], api_version: str) -> Asking[list[Obj]]:
        """Return objects in a version, in their order; those that have it already are not asked about.

        Raises:
            ConversionError: it cannot be done.
        """
        asked = [obj for obj in objects if obj.get("apiVersion") != api_version]
        if not asked:
            return list(objects)
        asked = [_filled(spec, obj) for obj in asked]
        made = yield from self._ask(spec, asked, api_version)
        schema = schema_of(spec, api_version.rpartition("/")[2])
        pruned = iter([obj if schema is None else _pruned(obj, schema) for obj in made])
        return [obj if obj.get("apiVersion") == api_version else next(pruned) for obj in objects]

    def _ask(self, spec: Obj, objects: Sequence[Obj], api_version: str) -> Asking[list[Obj]]:
        kind = _gvk(objects[0])
        call = self._call(spec, objects, api_version, kind)
        (outcome,) = yield [call]
        if outcome.failure:
            raise ConversionError(f"conversion webhook for {kind} failed: {outcome.failure}")
        found = _converted(outcome.document, call.review, kind)
        if len(found) != len(objects):
            raise ConversionError(
                f"conversion webhook for {kind} returned {len(found)} objects, expected {len(objects)}"
            )
        return [
            _checked(obj, new, api_version, f"conversion webhook for {kind} returned invalid", index)
            for index, (obj, new) in enumerate(zip(objects, found, strict=True))
        ]

    def _call(self, spec: Obj, objects: Sequence[Obj], api_version: str, kind: str) -> HookCall:
        webhook = spec["conversion"].get("webhook") or {}
        accepted = webhook.get("conversionReviewVersions") or ()
        version = next((each for each in accepted if each in ("v1", "v1beta1")), None)
        if version is None:
            raise ConversionError("no supported conversion review versions")
        request = {"uid": self._ids.uid(), "desiredAPIVersion": api_version, "objects": list(objects)}
        review = {"kind": "ConversionReview", "apiVersion": f"{_GROUP}/{version}", "request": request}
        given = {"clientConfig": webhook.get("clientConfig") or {}, "timeoutSeconds": _SECONDS}
        try:
            return make_call(given, review, self._reader, self._random, admission=False)
        except UnresolvedError as error:
            raise ConversionError(f"conversion webhook for {kind} failed: {error}") from None


def _filled(spec: Obj, obj: Obj) -> Obj:
    """Return an object with the defaults of the version that it has."""
    schema = schema_of(spec, obj["apiVersion"].rpartition("/")[2])
    return obj if schema is None else {**default(obj, schema), "metadata": obj["metadata"]}


def _pruned(obj: Obj, schema: Any) -> Obj:
    return {**prune(obj, schema)[0], "metadata": obj["metadata"]}


def _gvk(obj: Obj) -> str:
    return f"{obj.get('apiVersion')}, Kind={obj.get('kind')}"


def _converted(document: object, asked: Obj, kind: str) -> list[Any]:
    """Return the objects in an answer.

    Raises:
        ConversionError: it is none, or says that they cannot be converted.
    """
    why = ""
    answer = document if isinstance(document, dict) else {}
    response = answer.get("response")
    result = (response.get("result") or {}) if isinstance(response, dict) else {}
    wanted, uid = asked["apiVersion"], asked["request"]["uid"]
    strict = wanted == f"{_GROUP}/v1"
    if strict and (answer.get("apiVersion"), answer.get("kind")) != (wanted, "ConversionReview"):
        why = f"expected webhook response of {_gvk(asked)}, got {_gvk(answer)}"
    elif not isinstance(response, dict):
        why = "no response provided"
    elif strict and (response.get("uid") or "") != uid:
        why = f'expected response.uid="{uid}", got "{response.get("uid") or ""}"'
    elif result.get("status") != "Success":
        status = result.get("status") or ""
        why = result.get("message") or f"response.result.status was '{status}', not 'Success'"
    else:
        return list(response.get("convertedObjects") or ())
    raise ConversionError(f"conversion webhook for {kind} failed: {why}")


def _checked(obj: Obj, new: Any, api_version: str, head: str, index: int) -> Obj:
    """Return a converted object with the metadata that it has to have."""
    at = f"{head} converted object at index {index}"
    if not isinstance(new, dict):
        raise ConversionError(f"{at}: it is no object")
    if new.get("apiVersion") != api_version:
        given = new.get("apiVersion") or ""
        raise ConversionError(f"{at}: invalid groupVersion (expected {api_version}, received {given})")
    if new.get("kind") != obj["kind"]:
        raise ConversionError(
            f"{at}: invalid kind (expected {obj['kind']}, received {new.get('kind') or ''})"
        )
    given = new.get("metadata")
    if not isinstance(given, dict):
        raise ConversionError(
            f"{head} metadata in object at index {index}: missing metadata in converted object"
        )
    for field, shown in _SAME:
        before, after = obj["metadata"].get(field) or "", given.get(field) or ""
        if before != after:
            raise ConversionError(f"{at}: must have the same {shown}: {before} != {after}")
    metadata = {key: value for key, value in obj["metadata"].items() if key not in ("labels", "annotations")}
    for field, check in (("labels", label_failures), ("annotations", annotation_failures)):
        if given.get(field) is None:
            continue
        failures = check(given[field], f"metadata.{field}")
        if failures:
            told = ", ".join(str(each) for each in failures)
            raise ConversionError(f"{head} metadata in object at index {index}: {told}")
        metadata[field] = given[field]
    return {**new, "metadata": metadata}
