"""What ``ip -j -d link show`` of iproute2 6.1 said on Linux 6.12, what is the same in every bond left out."""

from __future__ import annotations

import json
from typing import Any

_ALWAYS: dict[str, Any] = {
    "miimon": 0,
    "updelay": 0,
    "downdelay": 0,
    "peer_notify_delay": 0,
    "use_carrier": 1,
    "arp_interval": 0,
    "arp_missed_max": 2,
    "arp_validate": None,
    "arp_all_targets": "any",
    "primary_reselect": "always",
    "fail_over_mac": "none",
    "xmit_hash_policy": "layer2",
    "resend_igmp": 1,
    "num_peer_notif": 1,
    "all_slaves_active": 0,
    "min_links": 0,
    "lp_interval": 1,
    "packets_per_slave": 1,
    "ad_lacp_active": "on",
    "ad_lacp_rate": "slow",
    "ad_select": "stable",
    "tlb_dynamic_lb": 1,
}


def links(mode: str, members: dict[str, dict[str, Any]], **data: Any) -> str:
    """All interfaces of a machine with one bond."""
    return json.dumps(
        [
            {"ifindex": 1, "ifname": "lo", "link_type": "loopback"},
            # With a filter, ip prints this for a link that does not match.
            {},
            *(
                {
                    "ifname": name,
                    "master": "bond0",
                    "linkinfo": {
                        "info_kind": "dummy",
                        "info_slave_kind": "bond",
                        "info_slave_data": {
                            "state": "ACTIVE",
                            "mii_status": "UP",
                            "queue_id": 0,
                            "prio": 0,
                            **more,
                        },
                    },
                }
                for name, more in members.items()
            ),
            {
                "ifname": "bond0",
                "address": "1a:eb:5c:a3:1b:fe",
                "linkinfo": {"info_kind": "bond", "info_data": {"mode": mode, **_ALWAYS, **data}},
            },
            {"ifname": "eth9", "linkinfo": {"info_kind": "dummy"}},
        ]
    )


def active_backup() -> str:
    return links(
        "active-backup",
        {"eth1": {"queue_id": 3, "prio": 7}, "eth2": {}},
        active_slave="eth1",
        arp_interval=100,
        arp_missed_max=3,
        arp_ip_target=["1.1.1.1", "2.2.2.2"],
        ns_ip6_target=["fe80::1", "fe80::2"],
        arp_validate="all",
        arp_all_targets="all",
        primary="eth1",
    )


def lacp() -> str:
    return links(
        "802.3ad",
        {"eth1": {}},
        miimon=100,
        xmit_hash_policy="vlan+srcmac",
        all_slaves_active=1,
        ad_lacp_active="off",
        ad_info={"aggregator": 1, "num_ports": 1},
        ad_actor_sys_prio=65535,
        ad_user_port_key=100,
        ad_actor_system="00:00:00:00:00:00",
    )
