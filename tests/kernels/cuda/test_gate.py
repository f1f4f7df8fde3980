"""The gate of CUDA kernels: each is in the table, becomes machine code without a card, and keeps to its budget."""

from __future__ import annotations

import pytest

from fnet.kernels.cuda.runtime.adapter import why_missing
from tests.kernels.cuda.gate import CAPABILITIES, PAGE, Figures, faults, figures, lines
from tests.kernels.cuda.recurrent_steps import steps
from tests.kernels.cuda.table import KERNELS, ROWS, Row, kernels_there

CASES = [(name, signature) for name, row in ROWS.items() for signature in row.signatures]


def test_every_kernel_has_a_row():
    assert set(KERNELS) == kernels_there(), "see KERNELS in tests/kernels/cuda/table.py"


def test_the_document_has_a_line_for_every_kernel_and_signature():
    found = list(lines(PAGE.read_text(encoding="utf-8")))
    assert found == CASES, "compile what is new: python -m tests.kernels.cuda.gate NAMES"


def test_the_document_counts_steps_of_recurrent_layers():
    found = PAGE.read_text(encoding="utf-8").splitlines()
    assert set(steps()) <= set(found), "count again: python -m tests.kernels.cuda.gate recurrent"


@pytest.mark.skipif(bool(why_missing()), reason=why_missing())
@pytest.mark.parametrize("capability", CAPABILITIES, ids=["sm_90", "sm_80"])
@pytest.mark.parametrize(("name", "signature"), CASES)
def test_machine_code_keeps_to_its_budget(name, signature, capability):
    assert faults(ROWS[name], signature, figures(name, signature, capability)) == []


GOOD = Figures(registers=32, shared=0, stack=0, spilled=0, fused=1, float64=0, wide=2, shuffles=5)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"registers": 65}, "65 registers, allowed 64"),
        ({"stack": 8}, "8 bytes of stack, allowed 0"),
        ({"spilled": 4}, "4 bytes for want of registers"),
        ({"float64": 3}, "3 instructions in float64"),
        ({"wide": 0}, "no access of 16 bytes"),
        ({"shuffles": 0}, "no shuffles"),
    ],
)
def test_the_gate_finds_what_is_wrong(change, fault):
    row = Row(("f4 n",), vector=True, shuffles=True)
    assert faults(row, "f4 n", GOOD) == []
    assert faults(row, "f4 n", Figures(**{**vars(GOOD), **change})) == [fault]


def test_occupancy_is_what_registers_and_shared_memory_allow():
    assert GOOD.occupancy(256) == 100
    assert Figures(**{**vars(GOOD), "registers": 128}).occupancy(256) == 25
    assert Figures(**{**vars(GOOD), "shared": 100_000}).occupancy(256) == 25
