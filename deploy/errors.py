"""Errors of the commands; the message says what the operator can do."""


class DeployError(Exception):
    """The command cannot do what was asked."""


class HomeBusyError(DeployError):
    """Another `holdfast up` runs on this home."""


class StartFailedError(DeployError):
    """A role did not become ready in time, or exited again and again."""
