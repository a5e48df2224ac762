"""Writes the table of instance types from the generated tables of karpenter-provider-aws.

Run: python scripts/generate_aws_tables.py GIT_DIRECTORY     of a clone of it

Only numbers are taken: vCPUs, memory, interfaces and addresses, and on-demand prices of Linux in us-east-1.
Types whose price, size or addresses are not known there are left out.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "src/leeward/infra/tables/instance-types.json"
_SIZES = "website/content/en/preview/reference/instance-types.md"
_PRICES = "pkg/providers/pricing/zz_generated.pricing_aws.go"
_LIMITS = "pkg/providers/instancetype/zz_generated.vpclimits.go"


def main(repository: str) -> None:
    """Write the table."""
    prices_text = _show(repository, _PRICES)
    made = re.search(r"generated at (\d{4}-\d{2}-\d{2})T.* for us-east-1", prices_text)
    if made is None:
        raise SystemExit("the table of prices has no date")
    region = prices_text.split('"us-east-1": {', 1)[1].split("\n\t},", 1)[0]
    prices = {name: float(price) for name, price in re.findall(r'"([a-z0-9.-]+)": ([0-9.]+)', region)}
    limits = {
        name: (int(interfaces), int(addresses))
        for name, interfaces, addresses in re.findall(
            r'"([a-z0-9.-]+)": \{\s+Interface:\s+(\d+),\s+IPv4PerInterface:\s+(\d+),',
            _show(repository, _LIMITS),
        )
    }
    rows = [
        f"    {json.dumps(name)}: {json.dumps([*size, *limits[name], prices[name]])}"
        for name, size in sorted(_sizes(_show(repository, _SIZES)).items())
        if name in prices and name in limits
    ]
    text = ",\n".join(rows)
    TABLE.write_text(
        f'{{\n  "source": "aws/karpenter-provider-aws: prices, addresses and sizes as generated there",\n'
        f'  "columns": ["arch", "vcpus", "memory_mib", "interfaces", "addresses", "hourly_usd_us_east_1"],\n'
        f'  "date": "{made[1]}",\n  "types": {{\n{text}\n  }}\n}}\n',
        encoding="utf-8",
    )


def _sizes(page: str) -> dict[str, tuple[str, int, int]]:
    """Return architecture, vCPUs and MiB of memory of every instance type of a page."""
    found = {}
    for name, section in re.findall(r"\n### `([a-z0-9.-]+)`\n(.*?)(?=\n##|\Z)", page, re.DOTALL):
        labels = dict(re.findall(r"\|([a-z0-9./-]+)\|([^|\n]+)\|", section))
        arch = {"amd64": "x86_64", "arm64": "arm64"}[labels["kubernetes.io/arch"]]
        cpus = int(labels["karpenter.k8s.aws/instance-cpu"])
        found[name] = (arch, cpus, int(labels["karpenter.k8s.aws/instance-memory"]))
    return found


def _show(repository: str, path: str) -> str:
    shown = subprocess.run(
        ["git", "--git-dir", repository, "show", f"HEAD:{path}"], check=True, capture_output=True, text=True
    )
    return shown.stdout


if __name__ == "__main__":
    main(sys.argv[1])
