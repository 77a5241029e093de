"""What can go wrong on the operator's side; the message says what to do next."""


class DeployError(Exception):
    """Holdfast cannot start here as asked."""


class HomeBusyError(DeployError):
    """Another `holdfast up` owns this home."""


class StartFailedError(DeployError):
    """A role did not become ready."""
