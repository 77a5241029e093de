"""Variables that libraries read by themselves, and that would win over the settings.

In the environment of a shell or a container they are about another program. They are dropped
before the libraries are imported, since most read them then. What only fills in what an address
leaves out, such as PGPASSWORD, stays.
"""

import re
from collections.abc import MutableMapping
from typing import Final

PREFIXES: Final = (
    *("CELERY_", "CELERYD_", "EVENTLET_", "FLASK_", "GEVENT_", "KOMBU_"),
    *("PROMETHEUS_", "PSYCOPG_", "WERKZEUG_"),
)
NAMES: Final = frozenset(
    re.findall(
        r"\w+",
        """
        C_BENCH C_BENCH_EVERY C_FAKEFORK C_IMPDEBUG C_REMDEBUG C_STRICT_APP C_WARN_APP C_WNOCONF
        AUTOSCALE_KEEPALIVE FORKED_BY_MULTIPROCESSING MP_LOG MP_MAIN_FILE NOSETPS REMAP_SIGTERM
        TIMER_DEBUG USE_FAST_LOCALS DJANGO_SETTINGS_MODULE ALEMBIC_CONFIG PGCLIENTENCODING
        """,
    )
)
#: For libpq they go before the host that an address names.
ELSEWHERE: Final = frozenset(("PGHOSTADDR", "PGSERVICE"))
_HOST: Final = re.compile(r"://[^/?'\"\s]|[?&]host=")


def drop_library_variables(environ: MutableMapping[str, str]) -> None:
    """Remove them. A second call finds nothing."""
    names_a_host = _HOST.search(environ.get("DATABASE_URL", "")) is not None
    for name in list(environ):
        if name.startswith(PREFIXES) or name in NAMES or (name in ELSEWHERE and names_a_host):
            del environ[name]
