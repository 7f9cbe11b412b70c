"""Whatever the text, it is a document or it is refused, and every finding can be found."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pyteam.config import ConfigError, Document, json_schema, manual

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["5", " -1", "1", "true", "", "all", "lacp", "ethtool", "eth", "02:0:0:0:0:1", "team0"])
    | st.text(max_size=20)
)
STEPS = re.compile(r'\.?([A-Za-z0-9_-]+)|\.?("(?:[^"\\]|\\.)*")|\[([0-9]+)\]', re.ASCII)


def anything(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)
    )


def valid(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of ours allows."""
    if "examples" in schema:
        # What makes it valid is more than a schema can say.
        return st.sampled_from(schema["examples"])
    if "anyOf" in schema:
        return st.one_of([valid(one) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "boolean":
        return st.booleans()
    if schema["type"] == "integer":
        return st.integers(schema["minimum"], schema["maximum"])
    if schema["type"] == "array":
        return st.lists(valid(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
    if schema["type"] == "string":
        return st.sampled_from(["eth0", "eth0.5", "a" * 15, "é"])
    if "propertyNames" in schema:
        return st.dictionaries(
            valid(schema["propertyNames"]), valid(schema["additionalProperties"]), max_size=3
        )
    members = {
        key: valid(inner)
        for key, inner in schema["properties"].items()
        if key != "hwaddr" and "not" not in inner
    }
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {key: inner for key, inner in members.items() if key in required},
        optional={key: inner for key, inner in members.items() if key not in required},
    )


VALID = valid(json_schema())
KNOWN_KEYS = st.sampled_from(
    sorted(
        {step for entry in manual() for step in entry.path.split(".")} | {"eth0.5", "eth0", "prot", "a: b"}
    )
)


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """A valid configuration in which something was put that may not belong there."""
    tree = draw(VALID)
    for _ in range(draw(st.integers(0, 3))):
        place = tree
        while inner := [member for member in place.values() if isinstance(member, dict) and member]:
            if draw(st.booleans()):
                break
            place = draw(st.sampled_from(inner))
        place[draw(st.sampled_from(sorted(place)) | KNOWN_KEYS if place else KNOWN_KEYS)] = draw(
            anything(KNOWN_KEYS)
        )
    return tree  # type: ignore[no-any-return]


def read(text: str | bytes) -> Document | ConfigError:
    try:
        return Document.parse(text, source="file")
    except ConfigError as error:
        return error


def resolve(tree: Any, finding: str) -> str:
    """Follow the path of a finding through the tree; answers what was said about it."""
    rest = finding.removeprefix("file: ")
    assert rest != finding
    while step := STEPS.match(rest):
        key, quoted, index = step.groups()
        tree = tree[int(index) if index else json.loads(quoted) if quoted else key]
        rest = rest[step.end() :]
    assert rest.startswith(": "), finding
    return rest[2:]


@given(st.text() | anything(st.text(max_size=5)).map(json.dumps) | st.binary())
def test_any_text_is_a_document_or_is_refused(text: str | bytes) -> None:
    read(text)


@given(VALID)
def test_what_the_schema_allows_is_read_and_not_remarked_on(tree: dict[str, Any]) -> None:
    document = read(json.dumps(tree))
    assert isinstance(document, Document), str(document)
    assert document.warnings == ()
    assert document.raw == tree


@given(spoiled())
def test_every_finding_is_one_line_about_a_place_that_exists(tree: dict[str, Any]) -> None:
    result = read(json.dumps(tree))
    findings = result.warnings if isinstance(result, Document) else result.problems
    assert findings or isinstance(result, Document)
    for finding in findings:
        assert finding.isascii()
        assert finding.isprintable()
        assert resolve(tree, finding)


@given(spoiled())
def test_dump_and_parse_are_inverse(tree: dict[str, Any]) -> None:
    document = read(json.dumps(tree))
    if isinstance(document, Document):
        again = read(document.dump())
        assert isinstance(again, Document)
        assert again == document
        assert again.team == document.team
        assert again.dump() == document.dump()
        filled = document.with_defaults()
        assert filled.with_defaults() == filled
        assert filled.team == document.team


@given(
    VALID, st.sampled_from(["eth0", "eth0.5", "new", "a/b"]), anything(KNOWN_KEYS).map(json.dumps) | st.text()
)
def test_a_port_is_replaced_or_nothing_happens(tree: dict[str, Any], name: str, text: str) -> None:
    document = Document.parse(json.dumps(tree))
    try:
        after = document.with_port(name, text)
    except ConfigError:
        assert document.raw == tree
    else:
        assert after.raw == tree | {"ports": tree.get("ports", {}) | {name: json.loads(text)}}
