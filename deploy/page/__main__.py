"""`python -m deploy.page [--check | --or-without]`: builds the page, or checks its source.

With `--or-without` a page that cannot be built is no failure: Holdfast runs without it.
"""

import sys
from collections.abc import Sequence

from deploy.page.build import SOURCE, BuildFailed, build, check
from deploy.page.node import NodeMissing


def main(arguments: Sequence[str]) -> int:
    """Do it, and return the exit code."""
    if not (SOURCE / "package.json").exists():
        print("the page is built in a checkout only", file=sys.stderr)
        return 2
    try:
        if "--check" in arguments:
            check()
        elif build():
            print("the page is built", flush=True)
    except (BuildFailed, NodeMissing) as error:
        print(f"the page could not be built: {error}", file=sys.stderr)
        if "--or-without" not in arguments:
            return 1
        print("going on without a new page", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
