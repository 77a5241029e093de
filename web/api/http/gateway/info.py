"""`/v1/models`, `/v1/skills`, `/v1/toolsets`, `/v1/capabilities`, `/api/profiles`."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from flask import Response
from pydantic import BaseModel, ValidationError

from shared.hermes.profiles import DEFAULT, Profile, Profiles
from web.api.http.errors import ApiError
from web.api.http.gateway import models
from web.api.http.gateway.capabilities import Facts, capabilities
from web.api.http.gateway.documents import Documents, Object, Question
from web.api.http.routes import Answer, Call, Route
from web.api.http.run_objects import GATEWAY_MODEL

M = TypeVar("M", bound=BaseModel)
log = logging.getLogger(__name__)

MODELS: Final = "/v1/models"
CAPABILITIES: Final = "/v1/capabilities"
HEALTH: Final = "/health"
_OF_A_PROFILE: Final = (MODELS, CAPABILITIES, HEALTH)


class Info:
    """A profile that a user may not use looks like none."""

    def __init__(
        self, profiles: Profiles, documents: Documents, *, needs_token: bool, cors: bool
    ) -> None:
        """`cors`: pages of other origins may ask."""
        self._profiles = profiles
        self._documents = documents
        self._needs_token = needs_token
        self._cors = cors
        self._routes: Sequence[Route] = ()

    def know(self, routes: Sequence[Route]) -> None:
        """The routes that capabilities are made from: all that are served."""
        self._routes = routes

    def models(self, call: Call) -> Answer | Response:
        """`GET /v1/models`."""
        return Answer(self._document(call, MODELS, models.ModelList))

    def skills(self, call: Call) -> Answer | Response:
        """`GET /v1/skills`."""
        return Answer(self._document(call, "/v1/skills", models.SkillList))

    def toolsets(self, call: Call) -> Answer | Response:
        """`GET /v1/toolsets`."""
        return Answer(self._document(call, "/v1/toolsets", models.ToolsetList))

    def capabilities(self, call: Call) -> Answer | Response:
        """`GET /v1/capabilities`: what is served here, also while the gateway does not answer."""
        profile = self._profile(call)
        try:
            theirs: Object = self._documents.get(profile, CAPABILITIES)
        except ApiError:
            theirs = self._documents.last(profile, CAPABILITIES) or {}
        facts = Facts(
            model=_model_of(profile.name, theirs),
            needs_token=self._needs_token,
            cors=self._cors,
            gateway=theirs,
        )
        return Answer(capabilities(self._routes, facts))

    def profiles(self, call: Call) -> Answer | Response:
        """`GET /api/profiles`. All gateways are asked at once."""
        mine = [self._profiles.get(name) for name in self._profiles.names_for(call.owner)]
        asked = [{path: self._documents.begin(one, path) for path in _OF_A_PROFILE} for one in mine]
        entries = [self._entry(one, questions) for one, questions in zip(mine, asked, strict=True)]
        return Answer({"object": "list", "data": entries})

    def _entry(self, profile: Profile, questions: Mapping[str, Question]) -> dict[str, Any]:
        found = {path: self._answer(profile, question) for path, question in questions.items()}
        listed = _checked(models.ModelList, found[MODELS])
        version = (found[HEALTH] or {}).get("version")
        theirs = found[CAPABILITIES]
        return {
            "name": profile.name,
            "default": profile.name == DEFAULT,
            "context_length": profile.context_length,
            "available": any(answer is not None for answer in found.values()),
            "version": version if isinstance(version, str) else None,
            "model": _model_of(profile.name, theirs) if theirs is not None else None,
            "models": [model.id for model in listed.data] if listed is not None else None,
        }

    def _answer(self, profile: Profile, question: Question) -> Object | None:
        try:
            return self._documents.wait(profile, question)
        except ApiError:
            return None

    def _profile(self, call: Call) -> Profile:
        """Raises UnknownProfile."""
        return self._profiles.getter_for(call.owner)(call.profile)

    def _document(self, call: Call, path: str, model: type[BaseModel]) -> Object:
        profile = self._profile(call)
        found = self._documents.get(profile, path)
        if _checked(model, found) is None:
            log.warning("gateway.odd_document profile=%s path=%s", profile.name, path)
            message = f"The gateway of profile {profile.name} gave no usable answer."
            raise ApiError(502, "gateway_error", message)
        return found


def _checked(model: type[M], found: Object | None) -> M | None:
    try:
        return model.model_validate(found)
    except ValidationError:
        return None


def _model_of(profile: str, theirs: Object) -> str:
    """The gateway's word for its model, else the one that runs are shown with."""
    model = theirs.get("model")
    if isinstance(model, str) and model:
        return model
    return profile if profile != DEFAULT else GATEWAY_MODEL
