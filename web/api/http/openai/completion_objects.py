"""Chat completions and their chunks in the gateway's shape. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from shared.db.runs.run_status import RunStatus
from shared.protocol.run_ends import usage_of
from shared.protocol.run_states import RunState
from web.api.http.run_objects import model_name

Object = dict[str, Any]

DONE: Final = b"data: [DONE]\n\n"
TOOL_EVENT: Final = "hermes.tool.progress"
TOOL_SIGN: Final = "\N{WRENCH}"  # gateways have one for each tool, and do not say it in runs


def completion_id(run_id: str) -> str:
    """The id of the completion that the run is."""
    return "chatcmpl-" + run_id.removeprefix("run_")


def completion(run: RunStatus) -> Object:
    """The whole completion of a run that has ended."""
    message = {"role": "assistant", "content": run.output or ""}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason(run)}
    made = {**_head(run, "chat.completion"), "choices": [choice], "usage": chat_usage(run.usage)}
    return made if (how := how_it_ended(run)) is None else {**made, "hermes": how}


def chunk(run: RunStatus, delta: Mapping[str, Any], reason: str | None = None) -> Object:
    """A piece of it."""
    choice = {"index": 0, "delta": dict(delta), "finish_reason": reason}
    return {**_head(run, "chat.completion.chunk"), "choices": [choice]}


def last_chunks(run: RunStatus, *, usage_alone: bool) -> list[Object]:
    """The end. `usage_alone`: in a chunk of its own, as clients of OpenAI may ask for."""
    usage = chat_usage(run.usage)
    last = chunk(run, {}, finish_reason(run))
    if (how := how_it_ended(run)) is not None:
        last["hermes"] = how
        if how["error"]:
            last["error"] = {"message": how["error"], "type": how["error_code"]}
    if not usage_alone:
        return [{**last, "usage": usage}]
    alone = {**_head(run, "chat.completion.chunk"), "choices": [], "usage": usage}
    return [{**last, "usage": None}, alone]


def tool_started(name: str, call_id: str, label: str) -> Object:
    """What `TOOL_EVENT` says when the agent calls a tool."""
    shown = {"tool": name, "emoji": TOOL_SIGN, "label": label or name}
    return {**shown, "toolCallId": call_id, "status": "running"}


def tool_completed(name: str, call_id: str) -> Object:
    """And when the tool is done."""
    return {"tool": name, "toolCallId": call_id, "status": "completed"}


def finish_reason(run: RunStatus) -> str:
    """OpenAI's word for how the answer ended, or the gateway's for a failure."""
    if run.state is RunState.FAILED:
        return "error"
    said = run.end[1].get("finish_reason") if run.end is not None else None
    return "length" if said == "length" else "stop"


def how_it_ended(run: RunStatus) -> Object | None:
    """What a client should know of a run that did not complete."""
    reason = finish_reason(run)
    if run.state is RunState.COMPLETED and reason == "stop":
        return None
    error = run.end[1].get("error") if run.end is not None else None
    return {
        "completed": False,
        "partial": run.state is not RunState.FAILED,
        "failed": run.state is RunState.FAILED,
        "error": error,
        "error_code": "output_truncated" if reason == "length" else "agent_error",
    }


def chat_usage(usage: Mapping[str, Any] | None) -> Object:
    """Tokens, in the words of chat completions."""
    counts = usage_of(usage)
    return {
        "prompt_tokens": counts["input_tokens"],
        "completion_tokens": counts["output_tokens"],
        "total_tokens": counts["total_tokens"],
    }


def _head(run: RunStatus, kind: str) -> Object:
    return {
        "id": completion_id(run.id),
        "object": kind,
        "created": int(run.created_at),
        "model": model_name(run),
    }
