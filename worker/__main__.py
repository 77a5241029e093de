"""Runs one role of the worker: `python -m worker runs | maintenance | beat`."""

import os
import sys

from shared import gc_tuning, unused_libraries
from shared.library_variables import drop_library_variables

ROLES = ("runs", "maintenance", "beat")


def main() -> None:
    """Run the role that the first argument names until the process is stopped."""
    drop_library_variables(os.environ)
    role = sys.argv[1] if len(sys.argv) > 1 else "runs"
    if role not in ROLES:
        sys.exit(f"usage: python -m worker {{{'|'.join(ROLES)}}}")
    gc_tuning.put_off()
    if role == "runs":
        from shared.runtime import patch

        patch()
    _run(role)


def _run(role: str) -> None:
    with unused_libraries.hidden("opentelemetry.sdk.metrics"):
        import redis  # noqa: F401 - here, without it
    from shared import runtime
    from shared.errors import SettingsError
    from shared.log_setup import configure
    from shared.redis_check import require_usable
    from shared.settings import Settings
    from worker import processes

    gc_tuning.go_on()
    try:
        settings = Settings.load(os.environ)
        if not settings.redis_url:
            sys.exit("REDIS_URL: is missing; `holdfast up` brings a server of its own")
        require_usable(settings)
    except SettingsError as error:
        sys.exit(str(error))
    configure(role, settings.log_level, settings.log_format, runtime.native_lock)
    entries = {
        "runs": processes.run_worker,
        "maintenance": processes.run_maintenance,
        "beat": processes.run_beat,
    }
    try:
        entries[role](settings)
    except SettingsError as error:  # of the profiles file
        sys.exit(str(error))


if __name__ == "__main__":
    main()
