"""The doctor's look at what the gateways of all profiles offer, as far as they answer."""

from collections.abc import Iterator

from deploy.commands.doctor_finding import NOTE, OK, Finding
from deploy.local.gateway_probe import TIMEOUT, probe
from shared.errors import GatewayError, SettingsError
from shared.hermes.missing_transcript import WHAT, advice
from shared.hermes.profiles import Profile, Profiles
from shared.settings import Settings
from worker.gateway.client import GatewayClient
from worker.gateway.models import Capabilities
from worker.gateway.transcript_check import Source, transcript_source

SUBJECT = "transcripts"
_OFFERS = {
    "replays": "streams can be read again",
    "repeats": "keeps idempotency keys",
    "steers": "takes input in mid-run",
}


def gateway_findings(settings: Settings) -> Iterator[Finding]:
    """For each gateway that answers: where its transcripts come from, and what else it offers."""
    try:
        profiles = Profiles.load(settings)
    except SettingsError:
        return  # another finding says it
    for name in profiles.names():
        profile = profiles.get(name)
        if probe(profile.url, profile.api_key, profile.ca_file).authorized:
            yield _of_profile(profile)


def _of_profile(profile: Profile) -> Finding:
    gateway = GatewayClient(
        profile, connections=1, connect_timeout=TIMEOUT, post_timeout=TIMEOUT, max_event=1
    )
    try:
        source, offers = transcript_source(gateway, profile), _offers(gateway)
    except GatewayError as error:
        return Finding(SUBJECT, NOTE, f"profile {profile.name}: {error}", "look at its log")
    finally:
        gateway.close()
    if source is Source.NONE:
        detail = f"profile {profile.name}: none, so {WHAT}{offers}"
        return Finding(SUBJECT, NOTE, detail, advice(profile.name))
    where = "over HTTP" if source is Source.HTTP else f"from {profile.home}/state.db"
    return Finding(SUBJECT, OK, f"profile {profile.name}: {where}{offers}")


def _offers(gateway: GatewayClient) -> str:
    try:
        said = gateway.capabilities()
    except GatewayError:
        said = Capabilities()
    return "".join(f"; {text}" for name, text in _OFFERS.items() if getattr(said, name))
