"""The gateway clients of a process, one per profile."""

from shared.conversation.history import Format
from shared.errors import GatewayError, UnknownProfile
from shared.hermes.profiles import Profile, Profiles
from shared.settings import Settings
from worker.gateway.client import GatewayClient


class ClientPool:
    """Makes each client when it is first needed. `close` it at the end of the process."""

    def __init__(self, profiles: Profiles, settings: Settings) -> None:
        self._profiles = profiles
        self._settings = settings
        self._clients: dict[str, GatewayClient] = {}
        self._formats: dict[str, Format] = {}

    def profile(self, name: str) -> Profile:
        """The profile of that name. Raises UnknownProfile."""
        return self._profiles.get(name)

    def may_still_use(self, owner: str, name: str) -> bool:
        """Whether a run of that owner may be posted with the profile now."""
        return self._profiles.may_still_use(owner, name)

    def names(self) -> list[str]:
        """The names of all profiles."""
        return self._profiles.names()

    def max_runs(self, name: str) -> int:
        """How many runs of the profile may be live at once; 0: any number, also for a profile that
        does not exist (R7)."""
        try:
            return self._profiles.get(name).max_runs
        except UnknownProfile:
            return 0  # the run is claimed all the same, to fail with a reason

    def client(self, name: str) -> GatewayClient:
        """The client of the profile's gateway. Raises UnknownProfile."""
        if name not in self._clients:
            self._clients[name] = GatewayClient(
                self._profiles.get(name),
                connections=self._settings.worker_concurrency * 2,
                connect_timeout=self._settings.connect_timeout.total_seconds(),
                post_timeout=self._settings.post_timeout.total_seconds(),
                max_event=self._settings.stream_max_event_bytes,
                gather=self._settings.flush_interval.total_seconds(),
            )
        return self._clients[name]

    def close(self) -> None:
        """Close all clients. Safe to call twice."""
        for client in self._clients.values():
            client.close()

    def known_format(self, name: str) -> Format:
        """The same as `history_format`, as far as it is known without asking the gateway; `text`
        for a profile that has been removed, whose runs end all the same."""
        try:
            wanted = self._profiles.get(name).history_format
        except UnknownProfile:
            return "text"
        return wanted if wanted != "auto" else self._formats.get(name, "text")

    def history_format(self, name: str) -> Format:
        """The profile's setting; for `auto`, `text` for a Hermes gateway, else `anthropic`.

        A Hermes gateway turns structured history into its Python repr, so the model would read
        brackets (ADR 0005). A gateway that does not answer counts as one until it does.
        """
        wanted = self._profiles.get(name).history_format
        if wanted != "auto":
            return wanted
        if name not in self._formats:
            try:
                hermes = self.client(name).is_hermes()
            except GatewayError:
                return "text"
            self._formats[name] = "text" if hermes else "anthropic"
        return self._formats[name]
