"""States as daemons dump them, nested dicts: made up, but whole, for the tests of who reads them."""

from __future__ import annotations

from typing import Any


def activebackup_state() -> dict[str, Any]:
    return {
        "ports": {
            "p0": {
                "ifinfo": {"dev_addr": "02:00:00:00:00:01", "dev_addr_len": 6, "ifindex": 3, "ifname": "p0"},
                "link": {"duplex": "full", "speed": 10000, "up": True},
                "link_watches": {
                    "list": {
                        "link_watch_0": {
                            "delay_down": 20,
                            "delay_up": 10,
                            "down_count": 1,
                            "name": "ethtool",
                            "up": True,
                        }
                    },
                    "up": True,
                },
            }
        },
        "runner": {"active_port": "p0"},
        "setup": {
            "daemonized": False,
            "dbus_enabled": False,
            "debug_level": 0,
            "kernel_team_mode_name": "activebackup",
            "pid": 760,
            "pid_file": "/var/run/teamd/team0.pid",
            "runner_name": "activebackup",
            "zmq_enabled": False,
        },
        "team_device": {
            "ifinfo": {"dev_addr": "02:00:00:00:00:01", "dev_addr_len": 6, "ifindex": 6, "ifname": "team0"}
        },
    }


def lacp_state() -> dict[str, Any]:
    """Two ports: one in an aggregator, watched in every way; one alone, without a known speed."""
    lacpdu = {
        "key": 15,
        "port": 1,
        "port_priority": 255,
        "state": 63,
        "system": "02:00:00:00:00:b0",
        "system_priority": 65535,
    }
    probe = {"down_count": 0, "init_wait": 0, "interval": 1000, "missed": 2, "missed_max": 3, "up": False}
    watches = {
        "link_watch_0": {
            **probe,
            "name": "arp_ping",
            "source_host": "192.0.2.1",
            "target_host": "192.0.2.2",
            "validate_active": True,
            "validate_inactive": False,
            "send_always": True,
        },
        "link_watch_1": {**probe, "name": "nsna_ping", "target_host": "fe80::1"},
        "link_watch_2": {"name": "tipc", "up": True, "down_count": 4, "tipc_bearer": "eth"},
    }
    setup = {**activebackup_state()["setup"], "runner_name": "lacp", "kernel_team_mode_name": "loadbalance"}
    ifinfo = {"dev_addr": "02:00:00:00:00:02", "dev_addr_len": 6, "ifindex": 4, "ifname": "v0"}
    runner = {
        "actor_lacpdu_info": {**lacpdu, "state": 5, "system": "02:00:00:00:00:a0"},
        "aggregator": {"id": 3, "selected": True},
        "key": 0,
        "partner_lacpdu_info": lacpdu,
        "prio": 5,
        "selected": True,
        "state": "current",
    }
    return {
        "ports": {
            "v0": {
                "ifinfo": ifinfo,
                "link": {"duplex": "full", "speed": 10000, "up": True},
                "link_watches": {"list": watches, "up": False},
                "runner": runner,
            },
            "v1": {
                "ifinfo": {**ifinfo, "ifname": "v1", "ifindex": 5},
                "link": {"duplex": "half", "speed": -1, "up": False},
                "link_watches": {"list": {}, "up": False},
                "runner": {**runner, "aggregator": {"id": 0, "selected": False}, "selected": False},
            },
        },
        "runner": {"active": True, "fast_rate": False, "select_policy": "lacp_prio", "sys_prio": 65535},
        "setup": setup,
        "team_device": {"ifinfo": {**ifinfo, "ifname": "team0"}},
    }
