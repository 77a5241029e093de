"""What is missing where a gateway's transcript cannot be had, and what to do about it. Pure."""

from typing import Any, Final

from shared.hermes.profiles import DEFAULT

CODE: Final = "no_transcript"
MISSING: Final = ("tool_results", "reasoning")
WHAT: Final = "results of tools, and reasoning that was not streamed, are not kept"


def advice(profile: str) -> str:
    """What the operator can do for a profile."""
    setting = "HERMES_HOME" if profile == DEFAULT else f"`home` of [profiles.{profile}]"
    return (
        f"set {setting} to the home of that gateway, if it is on this machine and can be read "
        "here, or update the gateway"
    )


def notice(profile: str) -> dict[str, Any]:
    """What `resumed` says of it (`notices`)."""
    return {
        "code": CODE,
        "missing": list(MISSING),
        "message": (
            f"The gateway of this session gives no transcript: {WHAT}. "
            f"To have them, {advice(profile)}."
        ),
    }
