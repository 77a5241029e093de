"""`holdfast delete-session`: stops the runs of a session and deletes all its data."""

from deploy.commands.operate.installation import open_installation
from deploy.errors import DeployError
from shared.errors import NotFound
from shared.settings import Settings

MARGIN = 5.0  # seconds beyond STOP_TIMEOUT for a worker to write the end


def delete_session(settings: Settings, owner: str, session_id: str) -> int:
    """Delete the session and print what was deleted. Raises DeployError."""
    within = settings.stop_timeout.total_seconds() + MARGIN
    try:
        with open_installation(settings) as here:
            removed = here.deleter.delete(owner, session_id, within=within)
    except NotFound:
        raise DeployError(f"{owner} has no session {session_id!r}") from None
    except DeployError as error:
        raise DeployError(f"{error}; nothing was deleted") from error
    print(f"deleted {session_id}: {removed.messages} messages, {len(removed.run_ids)} runs")
    if removed.forced:
        print("its live run did not stop in time; the gateway will be asked again to stop it")
    return 0
