"""What lists of messages ask: instructions, history, prompt; and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from web.api.http.errors import ApiError
from web.api.http.openai.messages import asked, history

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def test_the_last_message_is_the_prompt_and_the_others_are_what_was_said_before() -> None:
    found = asked(
        [
            {"role": "system", "content": "one"},
            {"role": "user", "content": "first"},
            {"type": "function_call", "name": "f", "arguments": "{}"},
            {"role": "assistant", "content": [{"type": "output_text", "text": "answer"}]},
            {"role": "developer", "content": "two"},
            "second",
        ],
        "input",
    )
    assert found.instructions == "one\ntwo"
    assert found.before == [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
    ]
    assert found.prompt == "second"


def test_images_stay_parts_in_the_shape_of_the_gateway() -> None:
    part = {"type": "input_image", "image_url": " data:image/png;base64,AA ", "detail": "low"}
    found = asked([{"role": "user", "content": ["look", part, IMAGE]}], "input")
    image = {"url": "data:image/png;base64,AA", "detail": "low"}
    assert found.prompt == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": image},
        IMAGE,
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ([{"type": "input_file", "file_id": "f"}], "unsupported_content_type"),
        ([{"type": "sound"}], "unsupported_content_type"),
        (
            [{"type": "image_url", "image_url": {"url": "data:text/html,x"}}],
            "unsupported_content_type",
        ),
        ([{"type": "image_url"}], "invalid_image_url"),
        ([{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}], "invalid_image_url"),
        ([{"type": "input_image", "image_url": "http://x", "detail": 5}], "invalid_content_part"),
        ([], "invalid_payload"),
        ("  ", "invalid_payload"),
        (None, "invalid_payload"),
    ],
)
def test_what_no_gateway_takes_is_refused(content: Any, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        asked([{"role": "user", "content": content}], "messages")
    assert (caught.value.status, caught.value.error_code) == (400, code)


def test_texts_are_fit_for_the_database() -> None:
    found = asked([{"role": "user", "content": "a\x00b\ud800c"}, "x"], "input")
    assert found.before == [{"role": "user", "content": "a\ufffdb\ufffdc"}]


def test_a_history_has_roles_and_contents() -> None:
    said = [{"role": "user", "content": "x"}, {"role": "tool", "content": "y"}]
    assert history(said, "conversation_history") == [{"role": "user", "content": "x"}]
    with pytest.raises(ApiError):
        history([{"role": "user"}], "conversation_history")
