"""The routes of OpenAI's API."""

from web.api.http.openai import models
from web.api.http.openai.completions import Completions
from web.api.http.openai.responses import Responses
from web.api.http.routes import Header, Result, Route
from web.api.http.runs import KEY_HEADER, SESSION_HEADER

BODY = (400, 413, 415)  # statuses of what may be wrong with a body
KEY = Header(KEY_HEADER, "The same key and body again give the answer of the first request.")


def openai_routes(completions: Completions, responses: Responses) -> list[Route]:
    """Those of `/v1/chat/completions` and `/v1/responses`."""
    return [
        Route(
            "POST",
            "/v1/chat/completions",
            completions.create,
            "Answer a list of messages.",
            Result(200, "The answer, or its pieces as events.", models.ChatCompletion, True),
            body=models.ChatBody,
            headers=[KEY, Header(SESSION_HEADER, "The session whose next turn this is.")],
            refusals=[*BODY, 404, 409, 429, 502],
            starts_run=True,
        ),
        Route(
            "POST",
            "/v1/responses",
            responses.create,
            "Make a response: in the background, as events, or waited for.",
            Result(200, "The response, or its events.", models.Response, True),
            body=models.ResponseBody,
            headers=[KEY],
            refusals=[*BODY, 404, 409, 429],
            starts_run=True,
        ),
        Route(
            "GET",
            "/v1/responses/{response_id}",
            responses.show,
            "A response as it is now, or its events, from the first or after a number.",
            Result(200, "The response, or its events.", models.Response, True),
            query=models.RetrieveQuery,
            refusals=[400, 404, 429],
        ),
        Route(
            "DELETE",
            "/v1/responses/{response_id}",
            responses.delete,
            "Forget a response; its session stays.",
            Result(200, "It is gone.", models.DeletedResponse),
            refusals=[404],
        ),
        Route(
            "POST",
            "/v1/responses/{response_id}/cancel",
            responses.cancel,
            "Stop a response.",
            Result(200, "The response, as it is then.", models.Response),
            refusals=[404],
        ),
        Route(
            "GET",
            "/v1/responses/{response_id}/input_items",
            responses.items,
            "The messages that a response was asked with.",
            Result(200, "A page of them.", models.InputItems),
            query=models.ItemsQuery,
            refusals=[400, 404],
        ),
    ]
