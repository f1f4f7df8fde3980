"""Names of things: one table for each kind, one look-up, one text for a name that nothing has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fnet import activations, constraints, initializers, losses, metrics, optimizers, regularizers
from fnet.errors import ValueRangeError
from fnet.names import Names

ROOT = Path(__file__).parents[1]

KINDS: list[tuple[str, Callable[[Any], Any], Names[Any], str, str]] = [
    ("activation", activations.get, activations.ACTIVATIONS, "sofmax", "softmax"),
    ("initializer", initializers.get, initializers.INITIALIZERS, "HeNormall", "he_normal"),
    ("regularizer", regularizers.get, regularizers.REGULARIZERS, "L1L3", "l1_l2"),
    ("constraint", constraints.get, constraints.CONSTRAINTS, "MaxNorn", "max_norm"),
    ("loss", losses.get, losses.LOSSES, "hubr", "huber"),
    ("metric", metrics.get, metrics.METRICS, "acuracy", "accuracy"),
    ("optimizer", optimizers.get, optimizers.OPTIMIZERS, "adm", "adam"),
]


@pytest.mark.parametrize(("kind", "get", "names", "wrong", "right"), KINDS, ids=[row[0] for row in KINDS])
def test_every_kind_is_found_by_name_and_answers_a_wrong_one(
    kind: str, get: Callable[[Any], Any], names: Names[Any], wrong: str, right: str
) -> None:
    assert names.kind == kind and all(names.find(name) is names[name] for name in names)
    assert get(right) is not None and wrong not in names
    with pytest.raises(ValueRangeError, match=rf"^unknown {kind} '{wrong}'.* Did you mean '{right}'\?$"):
        get(wrong)


def test_a_name_stands_for_one_thing() -> None:
    roots: Names[Callable[[], None]] = Names("root", "a name")

    @roots.named("one")
    def first() -> None: ...

    roots.add(first, "one")
    assert dict(roots) == {"first": first, "one": first}
    with pytest.raises(ValueRangeError, match="the name 'one' stands for another root already"):
        roots.named("one")(lambda: None)
    with pytest.raises(ValueRangeError, match=r"^unknown root 3: expected a name\. Known: first, one\.$"):
        raise roots.unknown(3)


def test_a_listed_name_loads_its_module_alone() -> None:
    code = (
        "import sys; from fnet import losses, optimizers; losses.get('mse'); optimizers.get('adam');"
        "print([m for m in ('fnet.losses.ctc', 'fnet.optimizers.muon') if m in sys.modules], len(losses.LOSSES) > 60)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[] True"


def test_things_that_are_no_names_are_never_compared() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise TypeError("a comparison")

        def __call__(self, *args: Any) -> Any: ...

    odd = Odd()
    assert initializers.get(odd) is odd and regularizers.get(odd) is odd
