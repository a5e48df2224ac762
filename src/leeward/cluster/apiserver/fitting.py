"""Whether what a patch made is still an object of its type.

Source: k8s.io/apiserver/pkg/endpoints/handlers/patch.go, jsonPatcher (Kubernetes 1.36).
"""

from __future__ import annotations

import json
from collections.abc import Callable

import orjson

from leeward.cluster.apiserver import decoding
from leeward.cluster.apiserver.served import Served
from leeward.kube.objects import Obj
from leeward.kube.status import InvalidError

_GO_METADATA = ("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation")


def fitter(served: Served) -> Callable[[Obj], Obj]:
    """Return what makes a patched object one of its type.

    Raises, when called:
        InvalidError: it is none.
    """

    def fit(obj: Obj) -> Obj:
        try:
            if (obj.get("apiVersion"), obj.get("kind")) != (served.api_version, served.kind):
                decoding.fit_document(obj, str(obj.get("apiVersion")), str(obj.get("kind")), whole=True)
                raise decoding.WrongTypeError(
                    f'no kind "{obj.get("kind")}" is registered for version "{obj.get("apiVersion")}" in '
                    'scheme "pkg/api/legacyscheme/scheme.go:30"'
                )
            made: Obj = decoding.fit_document(obj, served.api_version, served.kind, whole=True).document
        except decoding.WrongTypeError as error:
            text = f"Invalid value: {json.dumps(_patched_text(obj), ensure_ascii=False)}: {error}"
            cause = {"reason": "FieldValueInvalid", "message": text, "field": "patch"}
            raise InvalidError(f' "" is invalid: patch: {text}', details={"causes": [cause]}) from None
        return made

    return fit


def _patched_text(obj: Obj) -> str:
    """Return an object as upstream's patches leave it: keys in order, metadata as Go writes it."""
    meta = obj["metadata"]
    shown = {key: meta[key] for key in (*_GO_METADATA, *meta) if key in meta}
    return orjson.dumps({**{key: obj[key] for key in sorted(obj)}, "metadata": shown}).decode()
