"""`holdfast probe`: whether the processes of this machine live, and whether they can work."""

from pathlib import Path

from deploy.errors import DeployError
from shared.probes.reading import processes


def probe(home: Path, kind: str, role: str) -> list[str]:
    """Return a line about each process of the role (of any, if empty). `kind`: live or ready.

    Raises DeployError, which names each fault, if one is not, or if none runs.
    """
    found = processes(home, role)
    if not found:
        raise DeployError(f"no {role or 'role'} runs with HOLDFAST_HOME={home}")
    faults = {one: one.live if kind == "live" else one.ready for one in found}
    wrong = [f"{one.role} {one.pid}: {', '.join(why)}" for one, why in faults.items() if why]
    if wrong:
        raise DeployError(f"not {kind}: {'; '.join(wrong)}")
    return [f"{one.role} {one.pid}: {kind}" for one in found]
