"""Each path is also there below `/p/{profile}`, where the path names the profile."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from flask import Response

from shared.errors import UnknownProfile
from shared.hermes.profiles import Profiles
from web.api.http.errors import ApiError
from web.api.http.routes import Answer, Call, Handler, Route

PREFIX: Final = "/p/{profile}"


def below_profiles(routes: Iterable[Route], profiles: Profiles) -> list[Route]:
    """The same routes below the prefix. What the path names counts as `?profile=`, and goes before
    it. Answers 404 `unknown_profile` for one that the user may not use; routes that everybody may
    ask do not look at it."""
    return [
        replace(route, path=PREFIX + route.path, handler=_handler(route, profiles))
        for route in routes
    ]


def _handler(route: Route, profiles: Profiles) -> Handler:
    def handle(call: Call) -> Answer | Response:
        path = dict(call.path)
        name = path.pop("profile").strip()
        if not route.public:
            try:
                profiles.getter_for(call.owner)(name)
            except UnknownProfile as error:
                raise ApiError(404, error.code, str(error), param="profile") from None
        arguments = {**call.arguments, "profile": name}
        return route.handler(replace(call, profile=name, path=path, arguments=arguments))

    return handle
