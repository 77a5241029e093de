"""Builds what lets people in, and closes what they opened when they may stay no longer."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.db.database import Database
from shared.service import Service
from shared.settings import Settings
from web.access.cookies import CookieKey, Cookies
from web.access.signed_out import SignedOut
from web.auth import Authenticator
from web.server.client_faults import ClientFaults
from web.server.guess_limit import GuessLimit
from web.sockets.token_watch import TokenWatch

GUESS_REFILL = 60.0  # seconds until an address may try one more wrong token


@dataclass(frozen=True)
class Access:
    """The parts of one web process."""

    authenticator: Authenticator
    cookies: Cookies
    signed_out: SignedOut
    watch: TokenWatch

    @classmethod
    def build(cls, settings: Settings, db: Database, faults: ClientFaults) -> "Access":
        """Raises SettingsError if a file of users or keys cannot be used."""
        key = CookieKey(settings.cookie_key, db)
        cookies = Cookies(key.get, settings.cookie_life.total_seconds())
        signed_out = SignedOut(db)
        authenticator = Authenticator(
            settings,
            GuessLimit(settings.token_guesses, GUESS_REFILL),
            cookies=cookies,
            signed_out=signed_out,
            faults=faults,
        )
        watch = TokenWatch(authenticator, settings.recheck_every.total_seconds())
        return cls(authenticator, cookies, signed_out, watch)

    @property
    def services(self) -> Sequence[Service]:
        """What has to run for them."""
        return [*self.authenticator.services, self.watch.service]
