"""The small problem of `tests.small_training`."""

from tests.small_training import *  # noqa: F403  (the fixtures that it lists)
