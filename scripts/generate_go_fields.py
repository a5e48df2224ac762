"""Writes gofields.json: how Go's structs of the Kubernetes API write each field as JSON.

Which fields are there when nothing was said about them decides what an object looks like and who owns what
(``leeward.kube.gofields``). One letter a field, in upper case where it is written even if it is empty:

    s string · n number · b boolean · l list · m map · p pointer · o struct
    t struct that can be null, such as a time · q struct that is written as text or number, such as a quantity

Run: python scripts/generate_go_fields.py DIRECTORY
     with checkouts of api, apimachinery, apiextensions-apiserver and kube-aggregator, all of
     github.com/kubernetes, at the version to be like
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "src/leeward/kube/gofields.json"
META = "io.k8s.apimachinery.pkg.apis.meta.v1"
OTHERS = (
    "apimachinery/pkg/apis/meta/v1",
    "apimachinery/pkg/types",
    "apiextensions-apiserver/pkg/apis/apiextensions/v1",
    "kube-aggregator/pkg/apis/apiregistration/v1",
)
# Types with their own way to write themselves.
LETTERS = {
    "metav1.Time": "t", "metav1.MicroTime": "t", "metav1.FieldsV1": "t", "runtime.RawExtension": "t",
    "resource.Quantity": "q", "intstr.IntOrString": "q", "metav1.Duration": "q", "runtime.Object": "p",
    "string": "s", "bool": "b", "byte": "n", "interface": "p",
    **dict.fromkeys(("int", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"), "n"),
    "float32": "n", "float64": "n",
}  # fmt: skip
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_EMPTY = re.compile(r"^type (\w+) struct ?\{\s*\}", re.MULTILINE)
_NAMED = re.compile(r"^type (\w+) (?:= )?((?:map|\[\]|\*)?[\w\[\].*]+)$", re.MULTILINE)
_FIELD = re.compile(r'^\t(?:(\w+)\s+)?([\w\[\].*{}]+)\s+`[^`\n]*json:"([^"]*)"[^`\n]*`', re.MULTILINE)
_IMPORT = re.compile(r'^\t(\w+)?\s*"k8s\.io/(api|apimachinery)/([\w/.-]+)"$', re.MULTILINE)


class Package:
    """The types of one Go package.

    Args:
        name: as OpenAPI names it, such as "io.k8s.api.core.v1".
        text: its source.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.structs = {**dict.fromkeys(_EMPTY.findall(text), ""), **dict(_STRUCT.findall(text))}
        self.named = dict(_NAMED.findall(text))
        self.imports = {
            alias or path.rpartition("/")[2]: f"io.k8s.{root}.{path.replace('/', '.')}"
            for alias, root, path in _IMPORT.findall(text)
        }


def packages(root: Path) -> Iterator[Package]:
    """Yield the packages that have types of the API."""
    served = (root / "api").glob("*/*/types.go")
    places = [(path.parent, f"io.k8s.api.{path.parts[-3]}.{path.parts[-2]}") for path in served]
    places += [(root / path, f"io.k8s.{path.replace('/', '.')}") for path in OTHERS]
    for directory, name in sorted(places):
        files = [
            each for each in sorted(directory.glob("*.go")) if not each.name.startswith(("zz_", "generated"))
        ]
        yield Package(name, "\n".join(each.read_text(encoding="utf-8") for each in files))


class Reader:
    """Turns fields into letters.

    Args:
        known: packages by name.
    """

    def __init__(self, known: dict[str, Package]) -> None:
        self._known = known

    def fields(self, package: Package, name: str) -> dict[str, str]:
        """Return JSON name → letter of the fields of a struct, those of embedded structs included."""
        found: dict[str, str] = {}
        for field, kind, tag in _FIELD.findall(package.structs[name]):
            key, *options = tag.split(",")
            if key == "-":
                continue
            if not key and (not field or "inline" in options):
                home, inner = self._resolve(package, kind.lstrip("*"))
                if home is not None and inner in home.structs:
                    found |= self.fields(home, inner)
                continue
            letter = self._letter(package, kind)
            omitted = "omitzero" in options or ("omitempty" in options and letter not in "otq")
            found[key or field] = letter if omitted else letter.upper()
        return found

    def _resolve(self, package: Package, kind: str) -> tuple[Package | None, str]:
        prefix, dot, name = kind.rpartition(".")
        if not dot:
            return package, kind
        path = package.imports.get(prefix, "")
        return self._known.get(path), name

    def _letter(self, package: Package, kind: str) -> str:
        if kind.startswith("*"):
            return "p"
        if kind.startswith("[]"):
            return "s" if kind == "[]byte" else "l"
        if kind.startswith("map["):
            return "m"
        home, name = self._resolve(package, kind)
        full = f"metav1.{name}" if home is not None and home.name == META else kind
        if full in LETTERS or kind in LETTERS:
            return LETTERS.get(full) or LETTERS[kind]
        if home is None:
            raise SystemExit(f"{package.name}: the type {kind} is not known")
        if name in home.structs:
            return "o"
        return self._letter(home, home.named[name])


def main() -> int:
    """Read, reduce, write."""
    if len(sys.argv) != 2:
        sys.stderr.write(__doc__ or "")
        return 2
    known = {package.name: package for package in packages(Path(sys.argv[1]))}
    reader = Reader(known)
    table = {
        f"{package.name}.{name}": found
        for package in known.values()
        for name in sorted(package.structs)
        if (found := reader.fields(package, name))
    }
    TARGET.write_text(json.dumps(table, separators=(",", ":")) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
