"""What requests of operations may say."""

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, model_validator

from web.api.http.run_models import ListedStatus, Query
from web.payloads import MOST, Identifier, Payload

LONGEST_RANGE: Final = 366  # days

Time = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]  # epoch seconds


class GivenQuery(Query):
    """A query whose empty parameters were not given."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        return {name: value for name, value in values.items() if value != ""}


class UsageQuery(GivenQuery):
    """`GET /api/usage`."""

    by: Annotated[
        Literal["day", "model", "profile", "session", "owner"],
        Field(description="What is summed together; days are those of UTC."),
    ] = "day"
    days: Annotated[
        int, Field(ge=1, le=LONGEST_RANGE, description="Today and the days before it.")
    ] = 30
    since: Annotated[
        Time | None, Field(description="From that time on, in epoch s, in place of `days`.")
    ] = None
    until: Annotated[
        Time | None, Field(description="Before that time, in epoch s; at most 366 days later.")
    ] = None
    owner: Annotated[Identifier | None, Field(description="Only of this user.")] = None
    limit: Annotated[int, Field(ge=1, le=1000, description="Sums, those of most tokens.")] = 100


class RunsQuery(GivenQuery):
    """`GET /api/runs`."""

    limit: Annotated[int, Field(ge=1, le=100, description="Runs of one page.")] = 20
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before.")] = None
    status: Annotated[ListedStatus | None, Field(description="Only runs with it.")] = None
    owner: Annotated[Identifier | None, Field(description="Only runs of this user.")] = None
    profile: Annotated[Identifier | None, Field(description="Only runs of this gateway.")] = None
    session: Annotated[Identifier | None, Field(description="Only runs of this session.")] = None
    reason: Annotated[Identifier | None, Field(description="Only runs that ended for it.")] = None
    worker: Annotated[
        Identifier | None, Field(description="Only runs of this worker; for operators.")
    ] = None
    since: Annotated[Time | None, Field(description="Made at that time or later, epoch s.")] = None
    until: Annotated[Time | None, Field(description="Made before that time, epoch s.")] = None


class DeletionsQuery(GivenQuery):
    """`GET /api/deletions`."""

    limit: Annotated[int, Field(ge=1, le=100, description="Deletions of one page.")] = 20
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before.")] = None


class DeletionsBody(Payload):
    """`POST /api/deletions/retry`. Without `session_ids` all of the profile that are parked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"profile": "default"}]})

    profile: Identifier
    session_ids: Annotated[list[Identifier], Field(min_length=1, max_length=100)] | None = None
