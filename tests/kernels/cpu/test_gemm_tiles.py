"""Products by AMX tiles: all of it by the emulation, bit for bit, and the instructions as they are compiled."""

from __future__ import annotations

import re

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import ir

import fnet
from fnet import ops
from fnet.activation_codes import LINEAR, RELU
from fnet.kernels.cpu import gemm_tiles
from fnet.kernels.cpu.runtime import threads
from fnet.kernels.cpu.vector import amx, tile_block
from fnet.kernels.cpu.vector.simd import INT, Vectors
from fnet.kernels.cpu.vector.tiles import FROM_BIAS, FROM_C, FROM_ZERO
from tests.kernels.cpu.tile_reference import COMPILED, emulate, reference

SIZES = st.sampled_from([1, 2, 15, 16, 17, 31, 32, 33, 40, 70])


def call(a, b, products=1, start=FROM_ZERO, act=LINEAR, bias=None, c=None):
    """The product of matrices of either order in memory, by emulated tiles, with guards behind what it may write."""
    (m, k), n = a.shape, b.shape[1]
    memory = np.full(m * n + 9, 7, np.float32)
    out = memory[: m * n].reshape(m, n)
    if c is not None:
        out[:] = c
    words = np.full(gemm_tiles.tiles_words(m, n, k, products) + 9, 0x7FC07FC0, np.uint32)
    work = np.full(gemm_tiles.tiles_work() + 9, np.nan, np.float32)
    work[-9:] = 7
    strides = [step // 4 for x in (a, b) for step in x.strides]
    flat = [np.ravel(x, order="K") for x in (a, b)]
    bias = np.zeros(n, np.float32) if bias is None else bias
    state = amx.emulation(gemm_tiles.TASKS)
    sizes = dict(zip(gemm_tiles.SIZES.names, (m, n, k, *strides, start, act, products), strict=True))
    gemm_tiles.gemm_tiles(*flat, memory[: m * n], bias, words, work, state, gemm_tiles.SIZES.array(**sizes))
    assert (memory[m * n :] == 7).all() and (words[-9:] == 0x7FC07FC0).all() and (work[-9:] == 7).all()
    return out


def draw(rng, rows, columns, transposed=False):
    x = rng.standard_normal((columns, rows) if transposed else (rows, columns)).astype(np.float32)
    return x.T if transposed else x


@COMPILED
@settings(max_examples=40)
@given(SIZES, SIZES, SIZES, st.booleans(), st.booleans(), st.sampled_from([1, 3]), st.integers(0, 2**32 - 1))
def test_a_product_has_the_bits_of_the_instructions(m, n, k, left, right, products, seed):
    rng = np.random.default_rng(seed)
    a, b = draw(rng, m, k, left and k > 1 and m > 1), draw(rng, k, n, right and k > 1 and n > 1)
    np.testing.assert_array_equal(
        call(a, b, products), reference(a, b, np.zeros((m, n), np.float32), products), strict=True
    )


@COMPILED
@pytest.mark.parametrize("act", [LINEAR, RELU])
@pytest.mark.parametrize("start", [FROM_BIAS, FROM_C])
def test_sums_start_from_a_bias_or_from_c_and_end_with_an_activation(start, act):
    rng = np.random.default_rng(1)
    a, b, c, bias = draw(rng, 37, 33), draw(rng, 33, 45), draw(rng, 37, 45), draw(rng, 1, 45)[0]
    want = reference(a, b, np.broadcast_to(bias, c.shape) if start == FROM_BIAS else c, 3)
    have = call(a, b, 3, start, act, bias, c)
    np.testing.assert_array_equal(have, np.maximum(want, 0) if act == RELU else want)


@COMPILED
def test_numbers_that_are_not_finite_stay_so_and_tiny_ones_are_zero():
    a, b = np.eye(32, dtype=np.float32), np.eye(32, dtype=np.float32)
    for number, value in enumerate([np.inf, -np.inf, np.nan, 1e-40, -1e-40, 3.4e38, 1.0]):
        a[number, number] = value
    with np.errstate(invalid="ignore"):
        for products in (1, 3):
            have = call(a, b, products)
            assert np.isnan(have[2, 2]) and have[3, 3] == 0 and have[4, 4] == 0 and have[6, 6] == 1
            assert have[0, 0] == np.inf and have[1, 1] == -np.inf  # and no NaN from inf - inf
        assert np.isclose(have[5, 5], 3.4e38, rtol=1e-5)


@COMPILED
def test_three_products_are_a_hundred_times_as_exact_as_one():
    rng = np.random.default_rng(2)
    a, b = draw(rng, 96, 256), draw(rng, 256, 64)
    exact = a.astype("f8") @ b
    errors = [np.linalg.norm(call(a, b, products) - exact) / np.linalg.norm(exact) for products in (1, 3)]
    assert 1e-3 < errors[0] < 4e-3 and errors[1] < 5e-6


@COMPILED
@pytest.mark.parametrize("seed", range(4))
def test_a_product_of_split_numbers_is_never_off_by_more_than_three_times_2_to_the_minus_16(seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.uniform(1, 1 + 2.0**-6, (32, 32)).astype(np.float32) * np.eye(32, dtype=np.float32) for _ in range(2))
    exact = a.astype("f8") @ b
    errors = np.abs(np.diag(call(a, b, 3)) - np.diag(exact)) / np.diag(exact)
    assert errors.max() < 3 * 2.0**-16 + 1e-6


@COMPILED
def test_bits_do_not_depend_on_the_number_of_threads():
    rng = np.random.default_rng(3)
    a, b, before = draw(rng, 200, 90), draw(rng, 90, 170), threads.thread_count()
    results = []
    try:
        for count in (1, 2, 4):
            threads.set_thread_count(count)
            results.append(call(a, b, 3))
    finally:
        threads.set_thread_count(before)
    assert all(np.array_equal(result, results[0]) for result in results)


@COMPILED
def test_levels_take_tiles_where_they_are_the_fastest_way(monkeypatch):
    emulate(monkeypatch)
    rng = np.random.default_rng(4)
    a, b, bias = draw(rng, 70, 64), draw(rng, 64, 90), draw(rng, 1, 90)[0]

    def product(a, b, bias):
        return ops.relu(ops.matmul(a, b) + bias)

    exact, pull_exact = fnet.vjp(product, *(x.astype("f8") for x in (a, b, bias)))
    wanted = pull_exact(exact)
    for level, low, high in (("high", 1e-7, 6e-6), ("medium", 1e-3, 8e-3)):
        with fnet.precision(level):
            y, pull = fnet.vjp(product, a, b, bias)
            gradients = pull(exact.astype("f4"))
            jitted = fnet.jit(product)(a, b, bias)
            np.testing.assert_array_equal(fnet.jit(ops.matmul)(a, b), ops.matmul(a, b))
        assert np.linalg.norm(jitted - exact) / np.linalg.norm(exact) < high
        for have, want in ((y, exact), (gradients[0], wanted[0]), (gradients[1], wanted[1])):
            assert low < np.linalg.norm(have - want) / np.linalg.norm(want) < high


def test_the_instructions_are_those_of_the_processor():
    assembly = compiled()
    assert len(re.findall(r"\btdpbf16ps\b", assembly)) == 12  # four for each of three products
    assert len(re.findall(r"\btilezero\b", assembly)) == 4
    assert len(re.findall(r"\btileloaddt?1?\b", assembly)) == 4 + 2 * 5  # C; A and B, low B, low A and B
    assert len(re.findall(r"\btilestored\b", assembly)) == 4
    for name in ("ldtilecfg", "tilerelease"):
        assert len(re.findall(rf"\b{name}\b", assembly)) == 1


def compiled() -> str:
    """A block with its configuration, as assembly for a Sapphire Rapids."""
    module, words = ir.Module("tiles"), ir.IntType(32).as_pointer()
    floats, state = ir.FloatType().as_pointer(), ir.IntType(8).as_pointer()
    kinds = [state, words, words, INT, words, words, INT, floats, INT, INT, INT, INT]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), "block")
    builder = ir.IRBuilder(function.append_basic_block())
    simd = Vectors(builder, ir.FloatType())
    amx.Tiles(simd, function.args[0]).configure()
    tile_block.write_block(simd, function.args)
    amx.Tiles(simd, function.args[0]).release()
    builder.ret_void()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple("x86_64-unknown-linux-gnu")
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    return target.create_target_machine(cpu="sapphirerapids", opt=2).emit_assembly(parsed)


def test_the_configuration_is_eight_tiles_of_16_rows_of_64_bytes():
    state = amx.configuration()
    assert state.size == 64 and state[0] == 1
    assert state[16:32].view(np.uint16).tolist() == [64] * 8 and state[48:56].tolist() == [16] * 8
    assert state.sum() == 1 + 8 * 64 + 8 * 16


@pytest.mark.parametrize(("answer", "permitted"), [(0, True), (-1, False)])
def test_linux_is_asked_for_the_registers(answer, permitted, monkeypatch):
    asked = []

    class Library:
        def __init__(self, name):
            assert name is None

        def syscall(self, *numbers):
            asked.append(numbers)
            return answer

    monkeypatch.setattr(amx.llvm, "get_host_cpu_features", lambda: {"amx-tile": True, "amx-bf16": True})
    monkeypatch.setattr(amx.ctypes, "CDLL", Library)
    monkeypatch.setattr(amx, "INSTRUCTION_SET", "avx512")
    monkeypatch.setattr(amx.config, "DISABLE_JIT", 0)
    monkeypatch.setattr(amx.sys, "platform", "linux")
    monkeypatch.setattr(amx.platform, "machine", lambda: "x86_64")
    assert amx.permitted.__wrapped__() is permitted
    assert asked == [(158, 0x1023, 18)]  # arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)
    monkeypatch.setattr(amx.llvm, "get_host_cpu_features", lambda: {"amx-tile": True})
    assert not amx.permitted.__wrapped__()
    assert len(asked) == 1
