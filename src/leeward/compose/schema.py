"""What a Compose file may contain: every key, its kind and its short form.

Source: Compose Specification and its JSON schema (compose-spec.json, July 2026).
"""

from __future__ import annotations

from leeward.compose import shortforms as short
from leeward.compose.shapes import Many, Record, Shape, Table, Value

STRING = Value("string")
TEXT = Value("text")
INTEGER = Value("integer")
NUMBER = Value("number")
BOOLEAN = Value("boolean")
DURATION = Value("duration")
SIZE = Value("size")
ANY = Value("any")
STRINGS = Many(STRING)
TEXTS = Many(TEXT)
STRING_OR_LIST = Many(STRING, short.strings)
PAIRS = Table(TEXT, short.pairs, blank=True)
LABELS = PAIRS
OPTIONS = Table(TEXT)
COMMAND = Many(TEXT, short.words)
ORDER = Value("string", ("start-first", "stop-first"))

ULIMITS = Table(Record({"soft": INTEGER, "hard": INTEGER}, ("soft", "hard"), short.ulimit))
EXTRA_HOSTS = Table(Many(STRING), short.hosts)
FILE_USES = Many(
    Record(
        {"source": STRING, "target": STRING, "uid": TEXT, "gid": TEXT, "mode": Value("mode")},
        ("source",),
        short.under("source"),
    )
)
HOOK_KEYS: dict[str, Shape] = {
    "command": COMMAND,
    "user": TEXT,
    "privileged": BOOLEAN,
    "working_dir": STRING,
    "environment": PAIRS,
}
HOOK = Record(HOOK_KEYS, ("command",))
PRE_START = Record({**HOOK_KEYS, "image": STRING, "per_replica": BOOLEAN})
DEVICE_KEYS: dict[str, Shape] = {
    "capabilities": STRINGS,
    "count": INTEGER,
    "device_ids": STRINGS,
    "driver": STRING,
    "options": PAIRS,
}

BUILD = Record(
    {
        "context": STRING,
        "dockerfile": STRING,
        "dockerfile_inline": STRING,
        "entitlements": STRINGS,
        "args": PAIRS,
        "ssh": Table(TEXT, short.pairs, blank=True),
        "labels": LABELS,
        "cache_from": STRINGS,
        "cache_to": STRINGS,
        "no_cache": BOOLEAN,
        "no_cache_filter": STRING_OR_LIST,
        "additional_contexts": PAIRS,
        "network": STRING,
        "provenance": TEXT,
        "sbom": TEXT,
        "pull": BOOLEAN,
        "target": STRING,
        "shm_size": SIZE,
        "extra_hosts": EXTRA_HOSTS,
        "isolation": STRING,
        "privileged": BOOLEAN,
        "secrets": FILE_USES,
        "tags": STRINGS,
        "ulimits": ULIMITS,
        "platforms": STRINGS,
    },
    expand=short.under("context"),
)

PORT = Record(
    {
        "name": STRING,
        "mode": Value("string", ("ingress", "host")),
        "host_ip": STRING,
        "target": INTEGER,
        "published": TEXT,
        "protocol": STRING,
        "app_protocol": STRING,
    },
    ("target",),
)

MOUNT = Record(
    {
        "type": Value("string", ("bind", "volume", "tmpfs", "cluster", "npipe", "image")),
        "source": STRING,
        "target": STRING,
        "read_only": BOOLEAN,
        "consistency": STRING,
        "bind": Record(
            {
                "propagation": STRING,
                "create_host_path": BOOLEAN,
                "recursive": Value("string", ("enabled", "disabled", "writable", "readonly")),
                "selinux": Value("string", ("z", "Z")),
            }
        ),
        "volume": Record({"labels": LABELS, "nocopy": BOOLEAN, "subpath": STRING}),
        "tmpfs": Record({"size": SIZE, "mode": Value("mode")}),
        "image": Record({"subpath": STRING}),
    },
    ("type", "target"),
    short.mount,
)

ATTACHMENT = Record(
    {
        "aliases": STRINGS,
        "interface_name": STRING,
        "ipv4_address": STRING,
        "ipv6_address": STRING,
        "link_local_ips": STRINGS,
        "mac_address": STRING,
        "driver_opts": OPTIONS,
        "priority": NUMBER,
        "gw_priority": NUMBER,
        "use_service_name_alias": BOOLEAN,
    }
)

HEALTHCHECK = Record(
    {
        "disable": BOOLEAN,
        "interval": DURATION,
        "retries": INTEGER,
        "test": Many(TEXT, short.shell_test),
        "timeout": DURATION,
        "start_period": DURATION,
        "start_interval": DURATION,
    }
)

UPDATE = Record(
    {
        "parallelism": INTEGER,
        "delay": DURATION,
        "failure_action": Value("string", ("continue", "rollback", "pause")),
        "monitor": DURATION,
        "max_failure_ratio": NUMBER,
        "order": ORDER,
    }
)

DEPLOY = Record(
    {
        "mode": Value("string", ("replicated", "global", "replicated-job", "global-job")),
        "endpoint_mode": Value("string", ("vip", "dnsrr")),
        "replicas": INTEGER,
        "labels": LABELS,
        "rollback_config": UPDATE,
        "update_config": UPDATE,
        "resources": Record(
            {
                "limits": Record({"cpus": NUMBER, "memory": SIZE, "pids": INTEGER}),
                "reservations": Record(
                    {
                        "cpus": NUMBER,
                        "memory": SIZE,
                        "generic_resources": Many(
                            Record({"discrete_resource_spec": Record({"kind": STRING, "value": NUMBER})})
                        ),
                        "devices": Many(Record(DEVICE_KEYS, ("capabilities",), short.all_devices)),
                    }
                ),
            }
        ),
        "restart_policy": Record(
            {
                "condition": Value("string", ("none", "on-failure", "any")),
                "delay": DURATION,
                "max_attempts": INTEGER,
                "window": DURATION,
            }
        ),
        "placement": Record(
            {
                "constraints": STRINGS,
                "preferences": Many(Record({"spread": STRING})),
                "max_replicas_per_node": INTEGER,
            }
        ),
    }
)

BLKIO_LIMITS = Many(Record({"path": STRING, "rate": SIZE}))
BLKIO = Record(
    {
        "device_read_bps": BLKIO_LIMITS,
        "device_read_iops": BLKIO_LIMITS,
        "device_write_bps": BLKIO_LIMITS,
        "device_write_iops": BLKIO_LIMITS,
        "weight": INTEGER,
        "weight_device": Many(Record({"path": STRING, "weight": INTEGER})),
    }
)

DEVELOP = Record(
    {
        "watch": Many(
            Record(
                {
                    "ignore": STRING_OR_LIST,
                    "include": STRING_OR_LIST,
                    "path": STRING,
                    "action": Value("string", ("rebuild", "sync", "restart", "sync+restart", "sync+exec")),
                    "target": STRING,
                    "exec": HOOK,
                    "initial_sync": BOOLEAN,
                },
                ("path", "action"),
            )
        )
    }
)

SERVICE = Record(
    {
        "annotations": PAIRS,
        "attach": BOOLEAN,
        "blkio_config": BLKIO,
        "build": BUILD,
        "cap_add": STRINGS,
        "cap_drop": STRINGS,
        "cgroup": Value("string", ("host", "private")),
        "cgroup_parent": STRING,
        "command": COMMAND,
        "configs": FILE_USES,
        "container_name": STRING,
        "cpu_count": INTEGER,
        "cpu_percent": NUMBER,
        "cpu_period": INTEGER,
        "cpu_quota": INTEGER,
        "cpu_rt_period": INTEGER,
        "cpu_rt_runtime": INTEGER,
        "cpu_shares": INTEGER,
        "cpus": NUMBER,
        "cpuset": TEXT,
        "credential_spec": Record({"config": STRING, "file": STRING, "registry": STRING}),
        "depends_on": Table(
            Record(
                {
                    "restart": BOOLEAN,
                    "required": BOOLEAN,
                    "condition": Value(
                        "string", ("service_started", "service_healthy", "service_completed_successfully")
                    ),
                },
                ("condition",),
            ),
            short.dependencies,
            names=True,
        ),
        "deploy": DEPLOY,
        "develop": DEVELOP,
        "device_cgroup_rules": STRINGS,
        "devices": Many(
            Record({"source": STRING, "target": STRING, "permissions": STRING}, ("source",), short.device)
        ),
        "dns": STRING_OR_LIST,
        "dns_opt": STRINGS,
        "dns_search": STRING_OR_LIST,
        "domainname": STRING,
        "driver_opts": OPTIONS,
        "entrypoint": COMMAND,
        "env_file": Many(
            Record({"path": STRING, "format": STRING, "required": BOOLEAN}, ("path",), short.under("path")),
            short.env_files,
        ),
        "environment": PAIRS,
        "expose": TEXTS,
        "extends": Record({"service": STRING, "file": STRING}, ("service",), short.under("service")),
        "external_links": STRINGS,
        "extra_hosts": EXTRA_HOSTS,
        "gpus": Many(Record(DEVICE_KEYS, expand=short.all_devices), short.all_gpus),
        "group_add": TEXTS,
        "healthcheck": HEALTHCHECK,
        "hostname": STRING,
        "image": STRING,
        "init": BOOLEAN,
        "ipc": STRING,
        "isolation": STRING,
        "label_file": STRING_OR_LIST,
        "labels": LABELS,
        "links": STRINGS,
        "logging": Record({"driver": STRING, "options": Table(TEXT, blank=True)}),
        "mac_address": STRING,
        "mem_limit": SIZE,
        "mem_reservation": SIZE,
        "mem_swappiness": INTEGER,
        "memswap_limit": SIZE,
        "models": Table(Record({"endpoint_var": STRING, "model_var": STRING}), short.named, blank=True),
        "network_mode": STRING,
        "networks": Table(ATTACHMENT, short.named, blank=True, names=True),
        "oom_kill_disable": BOOLEAN,
        "oom_score_adj": INTEGER,
        "pid": STRING,
        "pids_limit": INTEGER,
        "platform": STRING,
        "ports": Many(PORT, short.ports),
        "post_start": Many(HOOK),
        "pre_start": Many(PRE_START),
        "pre_stop": Many(HOOK),
        "privileged": BOOLEAN,
        "profiles": STRINGS,
        "provider": Record({"type": STRING, "options": ANY}, ("type",)),
        "pull_policy": STRING,
        "pull_refresh_after": STRING,
        "read_only": BOOLEAN,
        "restart": STRING,
        "runtime": STRING,
        "scale": INTEGER,
        "secrets": FILE_USES,
        "security_opt": STRINGS,
        "shm_size": SIZE,
        "stdin_open": BOOLEAN,
        "stop_grace_period": DURATION,
        "stop_signal": STRING,
        "storage_opt": OPTIONS,
        "sysctls": PAIRS,
        "tmpfs": STRING_OR_LIST,
        "tty": BOOLEAN,
        "ulimits": ULIMITS,
        "umask": Value("mode"),
        "use_api_socket": BOOLEAN,
        "user": TEXT,
        "userns_mode": STRING,
        "uts": STRING,
        "volumes": Many(MOUNT),
        "volumes_from": STRINGS,
        "working_dir": STRING,
    },
    retired={
        "log_driver": "Write logging: {driver: …}.",
        "log_opt": "Write logging: {options: …}.",
        "net": "Write network_mode.",
        "volume_driver": "Set driver on the volume under the top-level volumes.",
        "dockerfile": "Write build: {dockerfile: …}.",
    },
)

NETWORK = Record(
    {
        "name": STRING,
        "driver": STRING,
        "driver_opts": OPTIONS,
        "ipam": Record(
            {
                "driver": STRING,
                "config": Many(
                    Record(
                        {
                            "subnet": STRING,
                            "ip_range": STRING,
                            "gateway": STRING,
                            "aux_addresses": Table(STRING),
                        }
                    )
                ),
                "options": Table(STRING),
            }
        ),
        "external": BOOLEAN,
        "internal": BOOLEAN,
        "enable_ipv4": BOOLEAN,
        "enable_ipv6": BOOLEAN,
        "attachable": BOOLEAN,
        "labels": LABELS,
    },
    expand=short.external,
)
VOLUME = Record(
    {"name": STRING, "driver": STRING, "driver_opts": OPTIONS, "external": BOOLEAN, "labels": LABELS},
    expand=short.external,
)
_FILE_KEYS: dict[str, Shape] = {
    "name": STRING,
    "file": STRING,
    "environment": STRING,
    "content": TEXT,
    "external": BOOLEAN,
    "labels": LABELS,
    "driver": STRING,
    "driver_opts": OPTIONS,
    "template_driver": STRING,
}
CONFIG = Record(_FILE_KEYS, expand=short.external)
SECRET = Record(_FILE_KEYS, expand=short.external)
MODEL = Record({"name": STRING, "model": STRING, "context_size": INTEGER, "runtime_flags": STRINGS})
INCLUDE = Record(
    {"path": STRING_OR_LIST, "env_file": STRING_OR_LIST, "project_directory": STRING},
    ("path",),
    short.under("path"),
)

COMPOSE = Record(
    {
        "version": TEXT,
        "name": STRING,
        "include": Many(INCLUDE),
        "services": Table(SERVICE, blank=True, names=True),
        "models": Table(MODEL, blank=True, names=True),
        "networks": Table(NETWORK, blank=True, names=True),
        "volumes": Table(VOLUME, blank=True, names=True),
        "configs": Table(CONFIG, blank=True, names=True),
        "secrets": Table(SECRET, blank=True, names=True),
        "jobs": Table(ANY, names=True),
    }
)
