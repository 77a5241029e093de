"""Real processes, real clients, from outside."""

import pytest

pytest.register_assert_rewrite("tests.acceptance.answers")
