"""What clients may send, and what is said about everything else."""

from typing import Any

import pytest

from shared.errors import InvalidPayload
from web.payloads import (
    AbortPayload,
    ApprovalPayload,
    CancelPayload,
    Payload,
    ResumePayload,
    RunPayload,
    parse,
)
from web.sockets import json_codec

BLOCKS = [{"type": "text", "text": "look"}, {"type": "image", "source": {"data": "…"}}]


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ({"input": "hello"}, "hello"),
        ({"input": "  hello\n"}, "  hello\n"),
        ({"input": BLOCKS}, "look\n[image]"),
        ({"input": [{"role": "user", "content": "hello"}]}, "hello"),
        ({"input": [{"role": "user", "content": BLOCKS}]}, "look\n[image]"),
        ({"input": "hello", "unknown": 1}, "hello"),
        ({"input": "hello", "session_id": None, "model": None, "instructions": None}, "hello"),
        ({"input": "x" * 900_000}, "x" * 900_000),
    ],
)
def test_a_run_may_carry_text_blocks_or_messages(sent: dict[str, Any], text: str) -> None:
    assert parse(RunPayload, (sent,)).text == text


@pytest.mark.parametrize(
    ("model", "args", "complaint"),
    [
        (RunPayload, (), "one object"),
        (RunPayload, ({"input": "a"}, {"input": "b"}), "one object"),
        (RunPayload, (None,), "object"),
        (RunPayload, ("hello",), "object"),
        (RunPayload, (["hello"],), "object"),
        (RunPayload, ({},), "input"),
        (RunPayload, ({"input": None},), "input"),
        (RunPayload, ({"input": ""},), "says nothing"),
        (RunPayload, ({"input": " \n\t "},), "says nothing"),
        (RunPayload, ({"input": []},), "says nothing"),
        (RunPayload, ({"input": [{"type": "text", "text": " "}]},), "says nothing"),
        (RunPayload, ({"input": ["hello"]},), "input"),
        (RunPayload, ({"input": [{"odd": 1}]},), "content blocks"),
        (RunPayload, ({"input": 5},), "input"),
        (RunPayload, ({"input": {"text": "hello"}},), "input"),
        (RunPayload, ({"input": b"hello"},), "input"),
        (RunPayload, ({"input": "a", "session_id": ""},), "session_id"),
        (RunPayload, ({"input": "a", "session_id": 7},), "session_id"),
        (RunPayload, ({"input": "a", "session_id": "s" * 10_000},), "session_id"),
        (RunPayload, ({"input": "a", "session_id": "a\x00b"},), "session_id"),
        (RunPayload, ({"input": "a", "session_id": "a\nb"},), "session_id"),
        (RunPayload, ({"input": "a", "session_id": "a\x85b"},), "session_id"),
        (RunPayload, ({"input": "a", "session_id": "a\ud800b"},), "session_id"),
        (RunPayload, ({"input": "a", "model": ["gpt"]},), "model"),
        (RunPayload, ({"input": "a", "model": "m" * 201},), "model"),
        (RunPayload, ({"input": "a", "instructions": 1},), "instructions"),
        (RunPayload, ({"input": "a", "instructions": "i" * 200_001},), "instructions"),
        (RunPayload, ({"input": "a", "client_request_id": ""},), "client_request_id"),
        (RunPayload, ({"input": "a", "client_request_id": "c" * 201},), "client_request_id"),
        (RunPayload, ({"input": "a", "on_busy": "panic"},), "on_busy"),
        (ResumePayload, ({},), "session_id"),
        (ResumePayload, ({"session_id": True},), "session_id"),
        (ResumePayload, ({"session_id": "s", "after_seq": "3"},), "after_seq"),
        (ResumePayload, ({"session_id": "s", "after_seq": -1},), "after_seq"),
        (ResumePayload, ({"session_id": "s", "after_seq": 2**63},), "after_seq"),
        (ResumePayload, ({"session_id": "s", "epoch": 10**30},), "epoch"),
        (
            ApprovalPayload,
            ({"run_id": "r", "choice": "once", "approval_id": 2**63},),
            "approval_id",
        ),
        (AbortPayload, ({},), "session_id"),
        (AbortPayload, ("s",), "object"),
        (CancelPayload, ({"session_id": "s"},), "run_id"),
        (CancelPayload, ({"run_id": None},), "run_id"),
        (ApprovalPayload, ({"session_id": "s", "choice": None},), "choice"),
    ],
)
def test_everything_else_is_refused_with_words(
    model: type[Payload], args: tuple[Any, ...], complaint: str
) -> None:
    with pytest.raises(InvalidPayload) as refused:
        parse(model, args)
    assert complaint in str(refused.value)
    assert len(str(refused.value)) <= 300


LEAST: dict[type[Payload], dict[str, Any]] = {
    RunPayload: {"input": "a"},
    ResumePayload: {"session_id": "s"},
    AbortPayload: {"session_id": "s"},
    CancelPayload: {"run_id": "r"},
    ApprovalPayload: {"session_id": "s", "choice": "once"},
}


@pytest.mark.parametrize("model", LEAST)
def test_null_in_any_optional_field_means_not_given(model: type[Payload]) -> None:
    least = LEAST[model]
    absent = parse(model, (least,))
    for name in model.model_fields.keys() - least.keys():
        assert parse(model, ({**least, name: None},)) == absent, name
    nothing = dict.fromkeys(model.model_fields)
    assert parse(model, ({**nothing, **least},)) == absent


def test_nul_and_lone_surrogates_become_replacement_characters() -> None:
    sent = json_codec.loads('{"input": "a\\u0000b\\ud800c", "instructions": "x\\u0000"}')
    payload = parse(RunPayload, (sent,))
    assert (payload.text, payload.instructions) == ("a\ufffdb\ufffdc", "x\ufffd")


def test_blocks_are_cleaned_too() -> None:
    payload = parse(RunPayload, ({"input": [{"type": "text", "text": "a\x00"}]},))
    assert payload.input == [{"type": "text", "text": "a\ufffd"}]


def test_a_complaint_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(InvalidPayload) as refused:
        parse(RunPayload, ({"input": "a", "on_busy": "my secret"},))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("text", ['"\\ud800"', "[1e400]", '{"a": NaN}'])
def test_the_codec_reads_what_orjson_refuses(text: str) -> None:
    json_codec.loads(text)


def test_the_codec_writes_lone_surrogates() -> None:
    assert json_codec.loads(json_codec.dumps(["\ud800"], separators=(",", ":"))) == ["\ud800"]


WITHOUT = [
    (RunPayload, {"input": "a"}),
    (ResumePayload, {"session_id": "s"}),
    (ResumePayload, {"run_id": "r"}),
    (AbortPayload, {"session_id": "s"}),
    (AbortPayload, {"run_id": "r"}),
    (CancelPayload, {"run_id": "r"}),
    (ApprovalPayload, {"session_id": "s", "choice": "deny"}),
]


@pytest.mark.parametrize(("model", "least"), WITHOUT)
def test_null_in_any_optional_field_is_the_same_as_no_field(
    model: type[Payload], least: dict[str, Any]
) -> None:
    """C13."""
    optional = [name for name in model.model_fields if name not in least]
    plain = parse(model, (least,))
    for name in optional:
        assert parse(model, ({**least, name: None},)) == plain
    assert parse(model, ({**least, **dict.fromkeys(optional)},)) == plain


@pytest.mark.parametrize("name", ["model", "instructions", "on_busy"])
def test_an_empty_text_is_the_same_as_no_field(name: str) -> None:
    assert parse(RunPayload, ({"input": "a", name: ""},)) == parse(RunPayload, ({"input": "a"},))


@pytest.mark.parametrize("value", ["-", "0", "null", "None", "default", "*", " ", "undefined", "s"])
def test_no_legal_id_means_something_else(value: str) -> None:
    """C12."""
    sent = {"input": "a", "session_id": value, "client_request_id": value}
    found = parse(RunPayload, (sent,))
    assert (found.session_id, found.client_request_id) == (value, value)
