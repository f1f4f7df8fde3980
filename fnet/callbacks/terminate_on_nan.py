"""End the training, in place of an error, where a loss is not finite."""

from __future__ import annotations

from fnet.arguments import flag
from fnet.callbacks.constructor import CALLBACKS, known_arguments
from fnet.errors import NonFiniteError
from fnet.train.callback import Callback
from fnet.train.run import Run


@CALLBACKS.named()
class TerminateOnNaN(Callback):
    """A NaN or infinite loss ends the run without an error: `fit` returns the last good state and prints the cause.

    Without this callback, or with `raise_error`, `fit` raises `NonFiniteError`, which has that state as its ``ts``.
    Either way the step is found in native code, without calls for batches. Source: Keras ``TerminateOnNaN``.
    """

    @known_arguments
    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = flag("TerminateOnNaN", "raise_error", raise_error)

    def on_non_finite(self, run: Run, error: NonFiniteError) -> bool:
        if not self.raise_error:
            print(f"the training ends: {error}")
        return not self.raise_error
