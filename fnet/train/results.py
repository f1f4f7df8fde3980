"""The numbers of an evaluation: by name, and in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn


class Results(dict[str, Any]):
    """A dict by name that unpacks into its numbers: ``loss, mae = trainer.evaluate(ts, x, y)``.

    Everything by name is that of a dict (``results["loss"]``, `keys`, `items`, ``"mae" in results``, ``dict(results)``,
    ``json.dumps(results)``, equality); iterating gives the numbers, the loss first, so that a call written as for Keras
    does not end in two names. For the names iterate over `keys` or `items`.

    >>> loss, mae = results = Results(loss=0.5, mae=0.25)
    >>> loss + mae, results["mae"], list(results.keys())
    (0.75, 0.25, ['loss', 'mae'])
    """

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values())

    def __reversed__(self) -> Iterator[Any]:
        return reversed(self.values())

    def __missing__(self, name: Any) -> NoReturn:
        raise KeyError(
            f"there is no result {name!r}, only {', '.join(map(repr, self.keys()))}. Iterating over results gives "
            f"their numbers: for names, iterate over results.items()."
        )
