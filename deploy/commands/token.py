"""`holdfast token`: creates a token. It is stored nowhere: the operator adds the printed line."""

from deploy.errors import DeployError
from shared.user_tokens import check_name, digest, new_token

TEXT = """\
token (not stored, shown only now):
  {token}
line for TOKENS_FILE, under [users]:
  "{name}" = ["{digest}"]
(if the user has a line already, add the digest to it until all clients use the new token)"""


def user_token(name: str) -> str:
    """Return a new token and its line for TOKENS_FILE, as text. Raises DeployError."""
    if fault := check_name(name):
        raise DeployError(fault)
    token = new_token()
    return TEXT.format(token=token, name=name, digest=digest(token))
