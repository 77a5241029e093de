"""Asks gateways for documents, and shares each answer among the requests that want it.

Problem: a page that many clients poll would be asked for once per request, and a gateway that
hangs would hold all of them. Idea: one question at a time for each profile and document, in a
thread of its own; whoever wants the same waits for it, and its answer counts for some seconds
after, also if it was a failure. Invariant: nobody waits for a question that is older than `within`,
and a gateway has one question per document at a time. Nothing that a gateway says in a failure is
passed on.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson

from shared import runtime
from shared.hermes.profiles import Profile
from shared.net.fetch import Fetched, ask
from shared.net.tls import tls_context
from web.api.http.errors import ApiError

log = logging.getLogger(__name__)

WITHIN: Final = 4.0  # seconds for one answer
FRESH: Final = 5.0  # seconds for which an answer counts
FAILED: Final = 1.0  # seconds for which a failure counts
MOST: Final = 4 * 2**20  # bytes of an answer

Object = Mapping[str, Any]


class Ask(Protocol):
    """Sends a GET to a gateway; raises OSError and ValueError."""

    def __call__(self, profile: Profile, path: str, *, seconds: float) -> Fetched: ...


def ask_gateway(profile: Profile, path: str, *, seconds: float) -> Fetched:
    """One GET with the key of the profile."""
    key = {"Authorization": f"Bearer {profile.api_key}"} if profile.api_key else {}
    tls = None
    if profile.url.startswith("https:"):
        tls = tls_context(str(profile.ca_file) if profile.ca_file else True)
    return ask(profile.url + path, seconds=seconds, most=MOST, headers=key, tls=tls)


@dataclass(frozen=True)
class Failure:
    """Why there is no document: the refusal that every request for it gets."""

    status: int
    code: str
    message: str

    def error(self) -> ApiError:
        """One to raise, of its own for each request."""
        return ApiError(self.status, self.code, self.message)


@dataclass
class Question:
    """One question; `outcome` is set before `done`. Times are monotonic."""

    began: float
    done: threading.Event = field(default_factory=threading.Event)
    outcome: Object | Failure | None = None
    ended: float = 0.0

    def counts(self, now: float) -> bool:
        """Whether a request may take its outcome, or wait for it."""
        if not self.done.is_set():
            return True
        return now - self.ended < (FAILED if isinstance(self.outcome, Failure) else FRESH)


class Documents:
    """The documents of all profiles. Keeps the last answer to each question."""

    def __init__(
        self,
        *,
        send: Ask = ask_gateway,
        within: float = WITHIN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`within`: seconds for an answer."""
        self._send = send
        self._within = within
        self._clock = clock
        self._lock = threading.Lock()
        self._questions: dict[tuple[str, str], Question] = {}
        self._last: dict[tuple[str, str], Object] = {}

    def get(self, profile: Profile, path: str) -> Object:
        """The JSON object at that path of the profile's gateway.

        Raises ApiError: 503 `gateway_unreachable` and `gateway_busy`, 502 `gateway_error`,
        501 `gateway_unsupported`.
        """
        return self.wait(profile, self.begin(profile, path))

    def begin(self, profile: Profile, path: str) -> Question:
        """The question for that document, asked unless its answer is there or on its way."""
        key = (profile.name, path)
        with self._lock:
            now, question = self._clock(), self._questions.get(key)
            if question is not None and question.counts(now):
                return question
            question = self._questions[key] = Question(now)
        runtime.spawn(self._answer, question, profile, path)
        return question

    def wait(self, profile: Profile, question: Question) -> Object:
        """The answer to a question that was begun; raises as `get` does."""
        question.done.wait(max(0.0, question.began + self._within - self._clock()))
        outcome = question.outcome if question.done.is_set() else _unreachable(profile)
        if isinstance(outcome, Failure):
            raise outcome.error()
        assert outcome is not None
        return outcome

    def last(self, profile: Profile, path: str) -> Object | None:
        """The last answer, however old; None if there was none."""
        return self._last.get((profile.name, path))

    def _answer(self, question: Question, profile: Profile, path: str) -> None:
        try:
            question.outcome = self._asked(profile, path)
        except Exception:  # the edge of the thread: those who wait get an answer all the same
            log.exception("gateway.document_failed profile=%s path=%s", profile.name, path)
            question.outcome = _broken(profile)
        if not isinstance(question.outcome, Failure):
            self._last[profile.name, path] = question.outcome
        question.ended = self._clock()
        question.done.set()

    def _asked(self, profile: Profile, path: str) -> Object | Failure:
        try:
            found = self._send(profile, path, seconds=self._within)
        except (OSError, ValueError) as error:
            kind = type(error).__name__
            log.warning("gateway.silent profile=%s path=%s error=%s", profile.name, path, kind)
            return _unreachable(profile)
        outcome = _meaning(profile, found)
        if isinstance(outcome, Failure):
            said = (profile.name, path, found.status)
            log.warning("gateway.no_document profile=%s path=%s status=%s", *said)
        return outcome


def _meaning(profile: Profile, found: Fetched) -> Object | Failure:
    if found.status == 200:
        return _object(found.body) or _broken(profile)
    if found.status in (404, 405, 501):
        message = f"The gateway of profile {profile.name} does not offer this."
        return Failure(501, "gateway_unsupported", message)
    if found.status in (429, 503):
        return Failure(503, "gateway_busy", f"The gateway of profile {profile.name} is busy.")
    if found.status in (401, 403):
        message = f"The gateway of profile {profile.name} refuses the key that Holdfast has for it."
        return Failure(502, "gateway_error", message)
    return _broken(profile)


def _object(body: bytes) -> Object | None:
    """The object, if it is JSON that can be passed on as it is."""
    try:
        found = orjson.loads(body)
        orjson.dumps(found)  # not all that can be read can be written, such as deep nesting
    except (ValueError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _unreachable(profile: Profile) -> Failure:
    message = f"The gateway of profile {profile.name} does not answer."
    return Failure(503, "gateway_unreachable", message)


def _broken(profile: Profile) -> Failure:
    message = f"The gateway of profile {profile.name} gave no usable answer."
    return Failure(502, "gateway_error", message)
