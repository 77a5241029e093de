"""Counts the current request against the limits of its owner; its answer says what is left."""

import math

from flask import Response, after_this_request

from web.sockets.rate_limit import OwnerLimits


def count_request(limits: OwnerLimits, owner: str, *, starts: bool = False) -> None:
    """`starts`: it starts a run, signs in or signs out. The answer, also that of a refusal, tells
    the tighter of the limits that it was counted against. Raises TooManyRequests."""
    counter = limits.starts if starts else limits.requests

    @after_this_request
    def tell(response: Response) -> Response:
        budget = counter.budget(owner)
        response.headers["RateLimit-Limit"] = str(budget.limit)
        response.headers["RateLimit-Remaining"] = str(budget.remaining)
        response.headers["RateLimit-Reset"] = str(math.ceil(budget.reset))
        return response

    limits.requests.require(owner)
    if starts:
        limits.starts.require(owner)
