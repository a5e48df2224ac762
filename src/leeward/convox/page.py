"""The page docs/convox.md, from the table of keys."""

from __future__ import annotations

from leeward.convox.support import ROWS

_HEAD = """# From Convox

`leeward import convox [convox.yml]` writes `compose.yaml` beside the file and prints what changed: a
warning for every key that is left out, a note for every key that means only nearly the same. An existing
file is overwritten only with `--force`; `.env` is never touched. `--env-file` gives the environment of a
release: it fills in the variables of numbers, ports and scales, and the variables that `*` stands for.

A variable without a default, and one in a `domain`, becomes a required one, `${NAME:?…}`; other than in
Convox an empty value counts as missing. A resource becomes a service with the same variables,
`<NAME>_URL`, `_HOST`, `_PORT`, `_USER`, `_PASS` and `_NAME`, on every service that links it; its password
is the required variable `<NAME>_PASS`, which must need no escaping in a URL. A managed resource (`rds-…`,
`elasticache-…`) becomes the same local service; where the managed one is used, write `x-leeward:
{external: {host: …}}` on it in the override file of that environment.

Images such as `postgres:16` need a container runtime. Where a project runs as plain processes, replace the
resource in an override file (`compose.local.yaml`) by a service of the same name that you build; the
variables stay.

Three examples of growing size are in `examples/`; a test imports, renders and runs them:

```
cd examples/convox-shop            # web, worker, a timer, Redis; there are convox-hello and convox-platform
leeward import convox              # writes compose.yaml, tells what changed
leeward check
leeward up -f compose.yaml -f compose.local.yaml   # the second file: a stand-in for Redis
```

Without a container runtime there is no Redis, so `compose.local.yaml` builds a small server that speaks its
protocol; everything else is as on a cluster. `convox-platform` wants `SIGNING_KEY`, its one variable without
a default. Timers are CronJobs, which the embedded cluster starts.

| key | handling | becomes | what to do |
|---|---|---|---|
"""


def page() -> str:
    """Return the text of the page."""
    rows = (f"| `{row.key}` | {row.handling} | {row.becomes} | {row.fix} |\n" for row in ROWS)
    return _HEAD + "".join(rows)
