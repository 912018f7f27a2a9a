"""Interactive pages are found in every spelling, and what else a service says stays as it was (ORG-16)."""

from __future__ import annotations

import json

import pytest

from valetkey.protocol import apps

META = {"ui": {"resourceUri": "ui://a/b", "csp": {}, "visibility": ["app"]}, "ui/resourceUri": "ui://a/b", "kept": 1}


@pytest.mark.parametrize(
    ("meta", "uri"),
    [
        (META, "ui://a/b"),
        ({"ui/resourceUri": "ui://flat"}, "ui://flat"),
        ({"openai/outputTemplate": "ui://older"}, "ui://older"),
        ({"ui": []}, ""),
        ([], ""),
    ],
)
def test_a_tools_page_is_found_in_each_spelling(meta: object, uri: str) -> None:
    assert apps.page_of(json.dumps({"name": "x", "_meta": meta}).encode()) == uri


def test_whom_a_tool_is_for_stays_when_its_page_goes() -> None:
    """SEP-1865: a tool for the page alone does not become one for the model by that."""
    left = json.loads(apps.without_page(json.dumps({"name": "x", "_meta": META}).encode()))

    assert left == {"name": "x", "_meta": {"ui": {"visibility": ["app"]}, "kept": 1}}


def test_a_result_that_was_a_page_and_nothing_else_says_so() -> None:
    page = b'{"content":[{"type":"resource","resource":{"uri":"UI://a","text":"<p>"}}],"_meta":{"ui":{}}}'

    left = json.loads(apps.text_result(page))

    assert left == {"content": [{"type": "text", "text": apps.INSTEAD}], "_meta": {}}
    assert json.loads(apps.text_task(b'{"taskId":"1","result":%b}' % page))["result"] == left


@pytest.mark.parametrize("raw", [b'{"content":7}', b'{"content":[{"type":"text","text":"ui://a"},{"type":7}]}', b"{}"])
def test_what_brings_no_page_is_left_as_it_is(raw: bytes) -> None:
    assert json.loads(apps.text_result(raw)) == json.loads(raw)
