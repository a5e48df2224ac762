"""Bodies and patches as objects of their type: unknown fields told or refused, wrong types refused.

Source: k8s.io/apiserver/pkg/endpoints/handlers/{create,update,patch}.go,
k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go (Kubernetes 1.36).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson

from leeward.cluster.apiserver import decoding
from leeward.cluster.apiserver.served import Served
from leeward.cluster.registry.custom.structure import prune
from leeward.kube.objects import Obj
from leeward.kube.patch.strategic import stray_directives
from leeward.kube.scale import SCALE_VERSION
from leeward.kube.status import InvalidError

_GO_METADATA = ("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation")


def decoded(body: Obj, served: Served, level: str) -> tuple[Obj, list[str]]:
    """Return a body as its type has it, and warnings about fields that the type has not.

    Args:
        body: of a create or update.
        served: what it should be.
        level: of the field validation.

    Raises:
        BadRequestError: a value has the wrong type, or there are unknown fields and validation is strict.
    """
    fitted, unknown = decoding.fit_object(body, served.api_version, served.kind)
    if served.custom and served.schema is not None:
        fitted, more = prune(fitted, served.schema)
        unknown = [*unknown, *more]
    return fitted, judged(unknown, served.api_version, served.kind, level)


def judged(unknown: list[str], api_version: str, kind: str, level: str) -> list[str]:
    """Return warnings about unknown fields, if these are to be told.

    Raises:
        BadRequestError: there are some, and validation is strict.
    """
    if unknown and level == "Strict":
        raise decoding.strict_error(unknown, api_version, kind)
    return decoding.warnings(unknown) if level == "Warn" else []


def fitted_patch(
    patch: Any, served: Served, subresource: str, level: str, *, strategic: bool
) -> tuple[Any, list[str]]:
    """Return a merge patch without the fields that its kind has not, and warnings about these.

    Raises:
        InvalidError: a value has the wrong type.
        BadRequestError: there are unknown fields, and validation is strict.
    """
    if not isinstance(patch, dict):
        return patch, []
    version, kind = _type_of(served, subresource)
    if served.custom and subresource != "scale":
        fitted, unknown = _custom_patch(patch, served)
    else:
        try:
            fitted, unknown = decoding.fit_document(patch, version, kind)
        except decoding.WrongTypeError as error:
            raise _refused(orjson.dumps(patch).decode(), error) from None
    unknown += stray_directives(patch, version, kind) if strategic else []
    return fitted, judged(unknown, version, kind, level)


def _custom_patch(patch: Obj, served: Served) -> tuple[Obj, list[str]]:
    """Return a patch of a custom object without unknown fields; wrong types show when it is made."""
    try:
        fitted, unknown = decoding.fit_document(patch, served.api_version, served.kind)
    except decoding.WrongTypeError:
        fitted, unknown = patch, []
    if served.schema is None:
        return fitted, unknown
    fitted, more = prune(fitted, served.schema)
    return fitted, [*unknown, *more]


def fitter(served: Served, subresource: str = "") -> Callable[[Obj], Obj]:
    """Return what makes a patched object one of its type.

    Raises, when called:
        InvalidError: it is none.
    """
    version, kind = _type_of(served, subresource)
    custom = served.custom and subresource != "scale"

    def fit(obj: Obj) -> Obj:
        try:
            if not custom and (obj.get("apiVersion"), obj.get("kind")) != (version, kind):
                decoding.fit_document(obj, str(obj.get("apiVersion")), str(obj.get("kind")), whole=True)
                raise decoding.WrongTypeError(
                    f'no kind "{obj.get("kind")}" is registered for version "{obj.get("apiVersion")}" in '
                    'scheme "pkg/api/legacyscheme/scheme.go:30"'
                )
            made: Obj = decoding.fit_document(obj, version, kind, whole=True).document
        except decoding.WrongTypeError as error:
            raise _refused(_patched_text(obj), error) from None
        return made

    return fit


def _type_of(served: Served, subresource: str) -> tuple[str, str]:
    return (SCALE_VERSION, "Scale") if subresource == "scale" else (served.api_version, served.kind)


def _refused(shown: str, error: ValueError) -> InvalidError:
    text = f"Invalid value: {json.dumps(shown, ensure_ascii=False)}: {error}"
    cause = {"reason": "FieldValueInvalid", "message": text, "field": "patch"}
    return InvalidError(f' "" is invalid: patch: {text}', details={"causes": [cause]})


def _patched_text(obj: Obj) -> str:
    """Return an object as upstream's patches leave it: keys in order, metadata as Go writes it."""
    meta = obj["metadata"]
    shown = {key: meta[key] for key in (*_GO_METADATA, *meta) if key in meta}
    return orjson.dumps({**{key: obj[key] for key in sorted(obj)}, "metadata": shown}).decode()
