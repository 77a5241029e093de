"""What these requests may say."""

from typing import Annotated, Literal

from pydantic import Field

from web.api.http.operations.queries import GivenQuery, Time
from web.api.http.run_models import ListedStatus
from web.payloads import MOST, Identifier


class CountsQuery(GivenQuery):
    """`GET /api/runs/counts`."""

    since: Annotated[
        Time | None, Field(description="Ended runs made since then, epoch s; a day by default.")
    ] = None
    status: Annotated[ListedStatus | None, Field(description="As of the list.")] = None
    owner: Annotated[Identifier | None, Field(description="As of the list.")] = None
    profile: Annotated[Identifier | None, Field(description="As of the list.")] = None


class StatsQuery(GivenQuery):
    """`GET /api/runs/stats`."""

    window: Annotated[
        Literal["hour", "day", "week"], Field(description="How far it goes back from now.")
    ] = "hour"


class LogQuery(GivenQuery):
    """`GET /api/runs/{run_id}/log`."""

    after: Annotated[int, Field(ge=0, le=MOST, description="Only events behind this seq.")] = 0
    limit: Annotated[int, Field(ge=1, le=1000, description="Events of one page.")] = 500
