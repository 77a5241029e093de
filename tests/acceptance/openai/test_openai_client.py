"""OpenAI's Python package, unchanged, as a client: completions, responses, cut streams."""

from __future__ import annotations

import signal
import threading
import uuid
from typing import Any

import openai
import pytest
import redis
from openai import OpenAI

from tests.acceptance.answers import numbered, talk
from tests.support.clients.openai_reader import Received, by_number
from tests.support.gateways.demo_gateway import scripted
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack

MODEL = "hermes-agent"


def wait_for(client: OpenAI, response_id: str) -> Any:
    """The response, once it is not in progress any more."""
    ended = {"completed", "failed", "cancelled", "incomplete"}

    def response() -> Any:
        found = client.responses.retrieve(response_id)
        return found if found.status in ended else None

    return wait_until(response, within=30, what=f"{response_id} has ended")


def posts_of(stack: Stack, made_id: str) -> list[dict[str, Any]]:
    """What the gateway was sent for this response or completion."""
    run_id = "run_" + made_id.partition("resp_")[2] + made_id.partition("chatcmpl-")[2]
    return [post["body"] for post in stack.posts(run_id)]


def begun(client: OpenAI, text: str, pieces: int, **fields: Any) -> Received:
    """A response in the background whose stream was left after so many pieces."""
    received = Received()
    with client.responses.create(
        model=MODEL, input=text, background=True, stream=True, **fields
    ) as stream:
        received.read(stream, pieces)
    return received


def as_dict(item: Any) -> dict[str, Any]:
    """What was received."""
    found: dict[str, Any] = item.to_dict()
    return found


# -- chat completions -----------------------------------------------------------------------------


def test_a_completion_is_the_answer_to_the_last_message(folding: Stack, client: OpenAI) -> None:
    made = client.chat.completions.create(
        model="some-model",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "earlier"},
            {"role": "assistant", "content": "answer"},
            {"role": "user", "content": talk(20)},
        ],
    )
    assert made.choices[0].message.content == numbered(20)
    assert (made.choices[0].finish_reason, made.model) == ("stop", "some-model")
    assert made.usage is not None
    assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens > 0
    (post,) = posts_of(folding, made.id)
    assert post["instructions"] == "Be brief."
    assert [m["content"] for m in post["input"][:-1]] == ["earlier", "answer"]


def test_a_completion_is_streamed_in_pieces(client: OpenAI) -> None:
    with client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": talk(100)}],
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        chunks = list(stream)
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(piece or "" for piece in pieces) == numbered(100)
    assert len([piece for piece in pieces if piece]) > 3
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None


def test_a_completion_that_was_cut_is_read_again_with_its_key(
    folding: Stack, client: OpenAI
) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    texts = []
    for pieces in (5, 10**9):
        with client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": talk(200, rate=200)}],
            stream=True,
            extra_headers=key,
        ) as stream:
            chunks = [chunk for _, chunk in zip(range(pieces), stream, strict=False)]
        texts.append("".join(c.choices[0].delta.content or "" for c in chunks))
    assert numbered(200).startswith(texts[0])
    assert texts[1] == numbered(200)
    assert len(posts_of(folding, chunks[0].id)) == 1


@pytest.mark.parametrize("api", ["completions", "responses"])
def test_a_web_process_that_stops_says_that_it_does_not_wait(
    folding: Stack, client: OpenAI, api: str
) -> None:
    caught: list[openai.InternalServerError] = []
    before = len(folding.gateway.record()["runs"])
    text = talk(600, rate=100)
    patient = client.with_options(max_retries=2)

    def ask() -> None:
        try:
            if api == "responses":
                patient.responses.create(model=MODEL, input=text)
            else:
                messages: Any = [{"role": "user", "content": text}]
                patient.chat.completions.create(model=MODEL, messages=messages)
        except openai.InternalServerError as error:
            caught.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: len(folding.gateway.record()["runs"]) > before, what="the run has begun")
    folding.restart_web(0, signal.SIGTERM)
    asking.join(30)
    assert (caught[0].status_code, caught[0].code) == (503, "draining")
    run_id = next(word for word in caught[0].message.split() if word.startswith("run_"))
    folding.wait_for_row(run_id, state="completed")
    assert len(folding.gateway.record()["runs"]) == before + 1


def test_a_completion_of_a_session_is_its_next_turn(folding: Stack, client: OpenAI) -> None:
    session = {"X-Hermes-Session-Id": f"chat-{uuid.uuid4().hex}"}
    for text in ("first", talk(3)):
        made = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": text}], extra_headers=session
        )
    (post,) = posts_of(folding, made.id)
    assert post["conversation_history"][0]["content"] == "first"


def test_a_completion_that_failed_is_an_error_and_is_not_tried_again(
    folding: Stack, client: OpenAI
) -> None:
    before = len(folding.gateway.record()["runs"])
    text = scripted(tokens=0, end="failed", error="the model is gone")
    with pytest.raises(openai.InternalServerError) as caught:
        client.with_options(max_retries=2).chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": text}]
        )
    assert caught.value.status_code == 502
    assert caught.value.code == "agent_incomplete"
    assert "the model is gone" in str(caught.value)
    assert len(folding.gateway.record()["runs"]) == before + 1


def test_the_tools_of_a_completion_are_shown_as_their_progress(client: OpenAI) -> None:
    text = scripted(tokens=10, tools=[{"after": 5, "name": "clock"}])
    with client.chat.completions.with_streaming_response.create(
        model=MODEL, messages=[{"role": "user", "content": text}], stream=True
    ) as response:
        lines = list(response.iter_lines())
    assert lines.count("event: hermes.tool.progress") == 2
    assert [line for line in lines if '"status":"completed"' in line and "clock" in line]
    assert lines[-2] == "data: [DONE]"


# -- responses ------------------------------------------------------------------------------------


def test_a_response_is_waited_for(client: OpenAI) -> None:
    made = client.responses.create(model="m", input=talk(20), metadata={"order": "1"})
    assert (made.status, made.output_text, made.model) == ("completed", numbered(20), "m")
    assert made.usage is not None
    assert made.usage.total_tokens == made.usage.input_tokens + made.usage.output_tokens
    again = client.responses.retrieve(made.id)
    assert again == made
    assert again.metadata == {"order": "1"}


def test_a_response_in_the_background_is_polled(client: OpenAI) -> None:
    made = client.responses.create(model=MODEL, input=talk(100, rate=100), background=True)
    assert made.status in {"queued", "in_progress"}
    assert made.output == []
    assert wait_for(client, made.id).output_text == numbered(100)


def test_the_events_of_a_response_are_those_of_openai(client: OpenAI) -> None:
    text = scripted(tokens=20, tools=[{"after": 10, "name": "clock", "output": "noon"}])
    with client.responses.stream(model=MODEL, input=text) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_text == numbered(20)
    kinds = [item.type for item in final.output]
    assert kinds == ["message", "function_call", "function_call_output", "message"]
    streamed = [e for e in events if e.type == "response.output_item.done"]
    assert [e.item.type for e in streamed] == kinds
    assert [e.output_index for e in streamed] == [0, 1, 2, 3]
    assert [as_dict(e.item)["id"] for e in streamed] == [as_dict(i)["id"] for i in final.output]
    numbers = [e.sequence_number for e in events]
    assert numbers == sorted(set(numbers))
    assert numbers[:2] == [0, 1]
    call, output = (as_dict(item) for item in final.output[1:3])
    assert call["name"] == "clock"
    assert output["call_id"] == call["call_id"]
    assert output["output"][0]["text"] == "noon"


def test_a_cut_stream_goes_on_after_its_last_number(client: OpenAI) -> None:
    text = scripted(
        tokens=600, rate=400, tools=[{"after": n, "name": f"tool{n}"} for n in (100, 300, 300)]
    )
    received = begun(client, text, pieces=5)
    for pieces in (1, 5, 20):
        received.go_on(client, pieces)
    received.read_to_the_end(client)
    assert received.text == numbered(600)
    assert received.numbers == sorted(set(received.numbers))
    assert received.events[-1].response.output_text == numbered(600)


def test_a_stream_goes_on_in_another_web_process(folding: Stack, client: OpenAI) -> None:
    received = Received()
    with client.responses.create(
        model=MODEL, input=talk(800, rate=200), background=True, stream=True
    ) as stream:
        received.read(stream, 10)
        reading = threading.Thread(target=read_until_cut, args=(received, stream), daemon=True)
        reading.start()
        had = len(received.events)
        wait_until(lambda: len(received.events) > had + 10, what="more text")
        folding.restart_web(0, signal.SIGKILL)
        reading.join(20)
    assert not received.has_ended
    received.read_to_the_end(client)
    assert received.text == numbered(800)
    assert received.numbers == sorted(set(received.numbers))
    assert received.types.count("response.created") == 1
    assert received.types.count("response.completed") == 1
    assert len(posts_of(folding, received.id)) == 1


def read_until_cut(received: Received, stream: Any) -> None:
    try:
        received.read(stream)
    except openai.APIError:
        return


def test_every_reading_has_the_same_numbers_also_when_the_log_is_gone(
    folding: Stack, client: OpenAI
) -> None:
    text = scripted(
        tokens=400,
        rate=800,
        tools=[{"after": 100, "name": "a", "seconds": 0.1}, {"after": 200, "name": "b"}],
    )
    live = begun(client, text, pieces=10**9)
    again = whole(client, live.id)
    forget_logs(folding)
    later = whole(client, live.id)
    assert live.has_ended
    for received in (live, again, later):
        assert received.text == numbered(400)
        assert by_number(received) == by_number(live)
    assert set(later.numbers) <= set(live.numbers)
    some = Received(events=[live.events[len(live.events) // 3]])
    at = live.events.index(some.events[0])
    had = Received(events=live.events[: at + 1])
    had.go_on(client)
    assert had.text == numbered(400)
    assert had.numbers == sorted(set(had.numbers))


def whole(client: OpenAI, response_id: str) -> Received:
    received = Received()
    with client.responses.retrieve(response_id, stream=True) as stream:
        received.read(stream)
    return received


def forget_logs(stack: Stack) -> None:
    """What Redis does with a log some time after its run."""
    with redis.Redis.from_url(stack.redis.url) as commands:
        for key in commands.scan_iter(match="*run_*"):
            commands.delete(key)


def test_a_number_in_the_middle_of_a_piece_is_a_place_too(client: OpenAI) -> None:
    live = begun(client, talk(50), pieces=10**9)
    first = next(e for e in live.events if e.type == "response.output_text.delta")
    start = first.sequence_number - len(first.delta)
    for had in (1, 2, 7, len(numbered(50)) - 1):
        rest = Received()
        with client.responses.retrieve(live.id, stream=True, starting_after=start + had) as stream:
            rest.read(stream)
        assert rest.text == numbered(50)[had:]


def test_a_cancelled_response_ends_as_such(client: OpenAI) -> None:
    received = begun(client, talk(5000, rate=50), pieces=3)
    assert client.responses.cancel(received.id).status == "cancelled"
    received.read_to_the_end(client)
    assert received.types[-1] == "response.incomplete"
    assert received.events[-1].response.status == "cancelled"
    assert numbered(5000).startswith(received.text)
    found = client.responses.retrieve(received.id)
    assert (found.status, found.output_text) == ("cancelled", received.text)
    assert client.responses.cancel(received.id) == found


def test_a_failed_response_says_why(client: OpenAI) -> None:
    text = scripted(tokens=5, end="failed", error="the model is gone")
    made = client.responses.create(model=MODEL, input=text)
    assert made.status == "failed"
    assert made.error is not None
    assert "the model is gone" in made.error.message
    assert whole(client, made.id).types[-1] == "response.failed"


def test_a_deleted_response_is_not_found(client: OpenAI) -> None:
    made = client.responses.create(model=MODEL, input=talk(3))
    client.responses.delete(made.id)
    for refused in (
        lambda: client.responses.retrieve(made.id),
        lambda: client.responses.delete(made.id),
        lambda: client.responses.cancel(made.id),
        lambda: client.responses.create(model=MODEL, input="x", previous_response_id=made.id),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            refused()
        assert caught.value.code == "response_not_found"


# -- conversations --------------------------------------------------------------------------------


def history(stack: Stack, response_id: str) -> list[str]:
    """What was said before, as the gateway got it."""
    (post,) = posts_of(stack, response_id)
    return [message["content"] for message in post.get("conversation_history") or []]


def test_a_response_goes_on_from_the_one_before_it(folding: Stack, client: OpenAI) -> None:
    first = client.responses.create(
        model=MODEL, input=scripted(say="My name is Ada."), instructions="Be kind."
    )
    second = client.responses.create(
        model=MODEL, input=scripted(say="Hello Ada."), previous_response_id=first.id
    )
    third = client.responses.create(
        model=MODEL, input=talk(3), previous_response_id=second.id, instructions="Be short."
    )
    assert second.previous_response_id == first.id
    said = history(folding, third.id)
    assert said[1::2] == ["My name is Ada.", "Hello Ada."]
    assert [post["instructions"] for post in posts_of(folding, second.id)] == ["Be kind."]
    assert [post["instructions"] for post in posts_of(folding, third.id)] == ["Be short."]
    ids = {folding.run_row(r.id.replace("resp_", "run_")).session_id for r in (first, third)}
    assert len(ids) == 1


def test_two_continuations_do_not_know_of_each_other(folding: Stack, client: OpenAI) -> None:
    first = client.responses.create(model=MODEL, input=scripted(say="root"))
    made: list[Any] = []

    def go_on(word: str) -> None:
        made.append(
            client.responses.create(
                model=MODEL, input=scripted(say=word), previous_response_id=first.id
            )
        )

    threads = [threading.Thread(target=go_on, args=(f"branch{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 3
    for response in made:
        assert history(folding, response.id)[1::2] == ["root"]
        last = client.responses.create(model=MODEL, input=talk(2), previous_response_id=response.id)
        assert history(folding, last.id)[1::2] == ["root", response.output_text]


def test_messages_of_the_input_are_remembered(folding: Stack, client: OpenAI) -> None:
    first = client.responses.create(
        model=MODEL,
        input=[
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": [{"type": "input_text", "text": talk(2)}]},
        ],
    )
    assert history(folding, first.id) == ["one", "two"]
    second = client.responses.create(model=MODEL, input=talk(2), previous_response_id=first.id)
    assert history(folding, second.id) == ["one", "two", talk(2), numbered(2)]
    items = client.responses.input_items.list(first.id, order="asc", limit=2)
    texts = [as_dict(item)["content"][0]["text"] for item in items]
    assert texts == ["one", "two", talk(2)]


def test_a_response_that_is_not_stored_is_answered_and_forgotten(
    folding: Stack, client: OpenAI
) -> None:
    first = client.responses.create(model=MODEL, input=scripted(say="root"))
    made = client.responses.create(
        model=MODEL, input=talk(5), previous_response_id=first.id, store=False
    )
    assert made.output_text == numbered(5)
    (post,) = posts_of(folding, made.id)
    assert [m["content"] for m in post["input"][1:-1]] == ["root"]
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_a_conversation_is_a_session(folding: Stack, client: OpenAI) -> None:
    name = f"talk-{uuid.uuid4().hex}"
    for word in ("one", "two"):
        client.responses.create(model=MODEL, input=scripted(say=word), conversation=name)
    last = client.responses.create(model=MODEL, input=talk(2), conversation=name)
    assert history(folding, last.id)[1::2] == ["one", "two"]
    assert last.conversation is not None
    assert last.conversation.id == name


def test_a_key_makes_one_response(folding: Stack, client: OpenAI) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    made = [
        client.responses.create(model=MODEL, input=talk(5), extra_headers=key) for _ in range(2)
    ]
    assert made[0] == made[1]
    assert len(posts_of(folding, made[0].id)) == 1
    with pytest.raises(openai.ConflictError) as caught:
        client.responses.create(model=MODEL, input="other", extra_headers=key)
    assert caught.value.code == "idempotency_key_conflict"
