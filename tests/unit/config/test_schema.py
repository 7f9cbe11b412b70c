"""The JSON Schema and the manual's rows, as far as the reader does not test them."""

from __future__ import annotations

import json

from pyteam.config import ManualEntry, json_schema, manual


def test_the_schema_is_json_and_says_which() -> None:
    schema = json.loads(json.dumps(json_schema()))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"]["ports"]["additionalProperties"]["properties"]["prio"] == {
        "type": "integer",
        "minimum": -(2**31),
        "maximum": 2**31 - 1,
        "default": 0,
        "description": "Priority among the ports; higher is better",
    }


def test_a_runner_without_a_name_is_roundrobin_and_a_watch_without_one_is_none() -> None:
    properties = json_schema()["properties"]
    assert [one.get("required") for one in properties["runner"]["anyOf"]] == [
        None,
        ["name"],
        ["name"],
        ["name"],
    ]
    assert ["name" in one.get("required", ()) for one in properties["link_watch"]["anyOf"]] == [True] * 4 + [
        False
    ]


def test_the_manual_names_every_key_once_with_its_owners() -> None:
    entries = list(manual())
    assert len({(entry.path, entry.meaning) for entry in entries}) == len(entries)
    assert (
        ManualEntry(
            path="runner.tx_balancer.balancing_interval",
            owners=("loadbalance", "lacp"),
            allowed="an integer from 0 to 2147483647 (tenths of a second)",
            default="50",
            required=False,
            meaning="Between two rebalancings (tenths of a second)",
        )
        in entries
    )
    assert {entry.path for entry in entries if entry.required} == {
        f"{place}link_watch.{key}"
        for place in ("", "ports.PORT.")
        for key in ("name", "target_host", "tipc_bearer")
    }


def test_every_key_has_a_meaning_that_fits_a_sentence() -> None:
    assert [entry.path for entry in manual() if not entry.meaning or entry.meaning.endswith(".")] == []
