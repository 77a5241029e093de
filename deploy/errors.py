"""Errors of the commands; the message says what the operator can do."""


class DeployError(Exception):
    """The command cannot do what was asked."""

    exit_code = 1


class HomeBusyError(DeployError):
    """Another `holdfast up` runs on this home."""


class StartFailedError(DeployError):
    """A role did not become ready in time, or exited again and again."""


class NotThereError(DeployError):
    """What the command is about does not exist."""

    exit_code = 3


class RefusedError(DeployError):
    """It exists, and is in no state for that."""

    exit_code = 1
