"""`holdfast token`: a fresh token of a user. Nothing is written; the operator adds the line."""

from deploy.errors import DeployError
from shared.user_tokens import check_name, digest, new_token

TEXT = """\
token, shown only now:
  {token}
line for TOKENS_FILE, under [users]:
  "{name}" = ["{digest}"]
(who has a line gets the new digest beside the old one, until all clients use the new token)"""


def user_token(name: str) -> str:
    """The token and the line that makes it valid, for a person. Raises DeployError."""
    if fault := check_name(name):
        raise DeployError(fault)
    token = new_token()
    return TEXT.format(token=token, name=name, digest=digest(token))
