"""A response in OpenAI's shape, and the items of its output. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from shared.db.responses.records import StoredResponse
from shared.protocol.run_ends import usage_of
from shared.protocol.run_states import RunState
from web.api.http.openai.response_events import call_id_of, output_parts, text_part
from web.api.http.run_objects import model_name

Item = dict[str, Any]

_RESPONSE, _RUN = "resp_", "run_"
_LENGTH: Final = "length"  # `finish_reason` of an answer that was cut at the model's limit
_STATUS: Final = {
    RunState.QUEUED: "queued",
    RunState.RUNNING: "in_progress",
    RunState.STOPPING: "in_progress",
    RunState.COMPLETED: "completed",
    RunState.FAILED: "failed",
    RunState.ABORTED: "cancelled",
}


def response_id(run_id: str) -> str:
    """The id of the response that the run is."""
    return _RESPONSE + run_id.removeprefix(_RUN)


def run_id_of(response: str) -> str:
    """The id of the run that the response is, if it is one of ours."""
    return _RUN + response.removeprefix(_RESPONSE)


def status_of(found: StoredResponse) -> str:
    """OpenAI's word for how it is doing."""
    if found.run.state is RunState.COMPLETED and _finish_reason(found) == _LENGTH:
        return "incomplete"
    return _STATUS[found.run.state]


def begun_object(found: StoredResponse, status: str) -> Item:
    """The response before it has any output, as the first events of a stream have it."""
    run = found.run
    return {
        "id": response_id(run.id),
        "object": "response",
        "status": status,
        "created_at": int(run.created_at),
        "model": model_name(run),
        "output": [],
        "usage": None,
        "error": None,
        "incomplete_details": None,
        "instructions": found.instructions,
        "metadata": dict(found.metadata),
        "previous_response_id": _id(found.previous_run_id),
        "conversation": {"id": found.conversation} if found.conversation else None,
        "background": found.background,
        "store": found.is_stored,
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
    }


def response_object(found: StoredResponse) -> Item:
    """The response as it is now; output and usage once it has ended."""
    status = status_of(found)
    made = begun_object(found, status)
    if found.run.end is None:
        return made
    made["output"] = items_of(found)
    made["usage"] = _usage(found.run.usage)
    if status == "incomplete":
        made["incomplete_details"] = {"reason": "max_output_tokens"}
    if status == "failed":
        message = found.run.end[1].get("error") or "The run failed."
        made["error"] = {"code": "server_error", "message": message, "type": "server_error"}
    return made


def items_of(found: StoredResponse) -> list[Item]:
    """The output: messages, and calls of tools with what they gave. Taken from the messages of the
    session, which have arguments and outputs; else from what was streamed, or the answer alone."""
    key = found.run.id.removeprefix(_RUN)
    if found.rows:
        steps = _as_streamed(_steps_of_rows(found.rows), found.parts or ())
    elif found.parts:
        steps = [_step_of_part(part) for part in found.parts]
    else:
        steps = [found.run.output] if found.run.output else []
    return _laid_out(steps, key)


class _Call(dict[str, str]):
    """A call: `name`, `arguments`, `call_id`, `output`."""


def _steps_of_rows(rows: Sequence[Mapping[str, Any]]) -> list["str | _Call"]:
    steps: list[str | _Call] = []
    waiting: list[_Call] = []  # calls whose output has not come
    for row in rows:
        if row["role"] == "assistant":
            if row["content"]:
                steps.append(row["content"])
            calls = [_call_of(call) for call in row["tool_calls"] or [] if isinstance(call, dict)]
            steps += calls
            waiting += calls
        elif row["role"] == "tool":
            call = _called(waiting, row)
            if call is None:
                call = _Call(arguments="{}", call_id=row["tool_call_id"] or "")
                steps.append(call)
            else:
                waiting.remove(call)
            call["name"] = call.get("name") or row["tool_name"] or ""
            call["output"] = row["content"] or ""
    return steps


def _as_streamed(
    steps: Sequence["str | _Call"], parts: Sequence[Sequence[str]]
) -> list["str | _Call"]:
    """With the texts as they were streamed, where those that are stored have other white space."""
    streamed = iter([part[1] for part in parts if part[0] == "text" and part[1].strip()])
    made: list[str | _Call] = []
    for step in steps:
        if isinstance(step, str):
            text = next(streamed, step)
            made.append(text if text.split() == step.split() else step)
        else:
            made.append(step)
    return made


def _call_of(call: Mapping[str, Any]) -> _Call:
    function = call.get("function")
    named = function if isinstance(function, Mapping) else {}
    return _Call(
        name=str(named.get("name") or ""),
        arguments=str(named.get("arguments") or "{}"),
        call_id=str(call.get("id") or ""),
    )


def _called(waiting: Sequence[_Call], row: Mapping[str, Any]) -> _Call | None:
    by_id = [call for call in waiting if call["call_id"] == row["tool_call_id"]]
    by_name = [call for call in waiting if call["name"] == row["tool_name"]]
    return next(iter(by_id or by_name), None)


def _step_of_part(part: Sequence[str]) -> "str | _Call":
    if part[0] == "text":
        return part[1]
    return _Call(name=part[1], call_id=part[2], output=part[3], arguments="{}")


def _laid_out(steps: Iterable["str | _Call"], key: str) -> list[Item]:
    """In the order of the stream: the calls that follow each other, and then their outputs."""
    items: list[Item] = []
    group: list[_Call] = []
    calls = 0
    for step in steps:
        if isinstance(step, str):
            items += _outputs(group, key, len(items))
            group = []
            item_id = f"msg_{key}_{len(items)}"
            content = [text_part(step)]
            message = {"id": item_id, "type": "message", "status": "completed"}
            items.append({**message, "role": "assistant", "content": content})
            continue
        calls += 1
        step["call_id"] = step["call_id"] or call_id_of(key, calls)
        group.append(step)
        item_id = f"fc_{key}_{len(items)}"
        call = {"id": item_id, "type": "function_call", "status": "completed"}
        items.append({**call, **{name: step[name] for name in ("name", "arguments", "call_id")}})
    return [*items, *_outputs(group, key, len(items))]


def _outputs(group: Sequence[_Call], key: str, first: int) -> list[Item]:
    return [
        {
            "id": f"fco_{key}_{index}",
            "type": "function_call_output",
            "call_id": call["call_id"],
            "output": output_parts(call.get("output", "")),
            "status": "completed",
        }
        for index, call in enumerate(group, start=first)
    ]


def _finish_reason(found: StoredResponse) -> str | None:
    reason = found.run.end[1].get("finish_reason") if found.run.end is not None else None
    return reason if isinstance(reason, str) else None


def _usage(usage: Mapping[str, Any] | None) -> Item:
    counts = usage_of(usage)
    return {
        "input_tokens": counts["input_tokens"],
        "output_tokens": counts["output_tokens"],
        "total_tokens": counts["total_tokens"],
        "input_tokens_details": {"cached_tokens": counts.get("cache_read_tokens", 0)},
        "output_tokens_details": {"reasoning_tokens": counts.get("reasoning_tokens", 0)},
    }


def _id(run_id: str | None) -> str | None:
    return response_id(run_id) if run_id is not None else None
