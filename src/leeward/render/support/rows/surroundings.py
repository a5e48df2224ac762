"""Rows of a service: networks, ports, names, mounts, configs and secrets.

Source: the Compose Specification, "services".
"""

from __future__ import annotations

from leeward.render.support.levels import Section

NETWORKING = Section(
    "Services: networks and names",
    "services.*",
    """
    networks | exact | label of the Pod that a NetworkPolicy picks
    networks.*.aliases | exact | a Service for each alias
    networks.*.use_service_name_alias | ignored | | A service is always reached by its name. | Remove it.
    networks.*.use_service_name_alias = true | exact | Service
    networks.*.interface_name | harmless | | Every Pod has one interface.
    networks.*.driver_opts    | harmless | | Every Pod has one interface.
    networks.*.priority       | harmless | | Every Pod has one interface.
    networks.*.gw_priority    | harmless | | Every Pod has one interface.
    networks.*.ipv4_address   | ignored | | The cluster gives the addresses. | Use service names.
    networks.*.ipv6_address   | ignored | | The cluster gives the addresses. | Use service names.
    networks.*.link_local_ips | ignored | | The cluster gives the addresses. | Use service names.
    networks.*.mac_address    | ignored | | The cluster gives the addresses. | Use service names.
    mac_address  | ignored | | The cluster gives the addresses. | Use service names.
    network_mode | exact | the cluster's network
    network_mode = none        | approximated | NetworkPolicy without any peer | The Pod has an interface, which the policy closes.
    network_mode = host        | refused | hostNetwork, with a waiver | It gives the container the network of the node. | Publish ports instead.
    network_mode = service:*   | approximated | a container in the other service's Pod | Both services live and die together.
    network_mode = container:* | refused | | The container is not part of the project. | Make it a service and write service:NAME.
    ports | exact | ports of the container and of the Service
    ports.*.target       | exact | containerPort; port of the Service
    ports.*.published    | exact | host port of the embedded cluster; Ingress elsewhere
    ports.*.host_ip      | exact | address of the host port
    ports.*.protocol     | exact | protocol
    ports.*.app_protocol | exact | appProtocol
    ports.*.name         | harmless | | Ports are named after their protocol and number.
    ports.*.mode         | exact | nothing: the port is reached through the cluster
    ports.*.mode = host  | ignored | | The node's port is not taken; the Service is reached through the cluster. | Use mode: ingress.
    expose         | exact | ports of the container and of the Service
    links          | approximated | Service | The alias resolves for every service, not only for the one that links.
    external_links | ignored | | Nothing outside the project is linked. | Use the service's full name.
    hostname       | exact | hostname
    domainname     | approximated | dnsConfig.searches | It becomes a DNS search domain.
    container_name | exact | a Service of that name
    extra_hosts    | exact | hostAliases
    dns            | exact | dnsConfig.nameservers
    dns_opt        | exact | dnsConfig.options
    dns_search     | exact | dnsConfig.searches
    driver_opts    | harmless | | Networks of a cluster have no drivers to tune.
    """,
)

MOUNTS = Section(
    "Services: mounts and files",
    "services.*",
    """
    volumes | exact | volumes and containers[].volumeMounts
    volumes.*.type   | exact | PersistentVolumeClaim, emptyDir, image; a bind mount is what it is for, see x-leeward.binds
    volumes.*.type = cluster | ignored | | Cluster volumes of Swarm have no counterpart. | Use a named volume with x-leeward: {class: NAME}.
    volumes.*.type = npipe   | ignored | | Named pipes of Windows have no counterpart. | Remove it.
    volumes.*.source | exact | which volume
    volumes.*.target | exact | mountPath
    volumes.*.read_only   | exact | readOnly
    volumes.*.consistency | harmless | | It tunes Docker Desktop's file sharing.
    volumes.*.bind | exact | nothing: a cluster binds no directory
    volumes.*.bind.propagation      | harmless | | It is about the host's file system.
    volumes.*.bind.create_host_path | exact    | nothing is made on a node
    volumes.*.bind.recursive        | harmless | | It is about the host's file system.
    volumes.*.bind.selinux          | harmless | | The cluster labels what it mounts.
    volumes.*.volume | exact | how the volume is mounted
    volumes.*.volume.labels  | harmless | | Claims have the project's labels.
    volumes.*.volume.nocopy  | exact    | nothing is copied from the image
    volumes.*.volume.subpath | exact    | subPath
    volumes.*.tmpfs | exact | emptyDir of medium Memory
    volumes.*.tmpfs.size | exact | emptyDir.sizeLimit
    volumes.*.tmpfs.mode | harmless | | A directory in memory has the mode 0777. | Set the mode in the entry point of the image.
    volumes.*.image | exact | image volume
    volumes.*.image.subpath | exact | subPath
    volumes_from | approximated | the same claims | Volumes are shared through claims; bind mounts are classified again.
    tmpfs   | exact | emptyDir of medium Memory
    configs | exact | ConfigMap mounted with subPath
    configs.*.source | exact | which ConfigMap
    configs.*.target | exact | mountPath
    configs.*.uid    | approximated | nothing where every user may read the file; else fsGroup | Files of a ConfigMap belong to root, and to a group of the Pod.
    configs.*.gid    | approximated | nothing where every user may read the file; else fsGroup | Files of a ConfigMap belong to root, and to a group of the Pod.
    configs.*.mode   | exact | defaultMode
    secrets | exact | Secrets projected into /run/secrets
    secrets.*.source | exact | which Secret
    secrets.*.target | exact | path in the volume, or mountPath
    secrets.*.uid    | approximated | nothing where every user may read the file; else fsGroup | Files of a Secret belong to root, and to a group of the Pod.
    secrets.*.gid    | approximated | nothing where every user may read the file; else fsGroup | Files of a Secret belong to root, and to a group of the Pod.
    secrets.*.mode   | exact | mode of the item
    """,
)

SECTIONS = (NETWORKING, MOUNTS)
