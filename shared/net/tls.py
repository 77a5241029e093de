"""The certificates that a gateway is checked with: public ones, or those that are named."""

import ssl
from functools import lru_cache
from pathlib import Path

import certifi

Verify = bool | str | None  # as in requests.Session.verify


@lru_cache(maxsize=32)  # reading a bundle of authorities takes 40 ms
def tls_context(verify: Verify) -> ssl.SSLContext:
    """The TLS settings for `verify`: True for the certificates that `requests` trusts, a path for
    others, False for none. Raises OSError when the certificates cannot be read."""
    if not verify:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        path = Path(certifi.where() if verify is True else verify)
        context = (
            ssl.create_default_context(capath=path)
            if path.is_dir()
            else ssl.create_default_context(cafile=path)
        )
    context.set_alpn_protocols(["http/1.1"])
    return context
