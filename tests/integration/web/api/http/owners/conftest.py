"""The site of the operations: Alice, Bob, Olga the operator and Adam the administrator."""

from tests.integration.web.api.http.operations.conftest import site

__all__ = ["site"]
