"""JAX with optax: jitted, donated steps; a burst waits for its last result only."""

from __future__ import annotations

import jax
import optax

from bench import device
from bench.problems import Network, Operation, Problem
from bench.protocol import NO_SUCH_ROW, Run, UnavailableError
from bench.workers.jax import operations, steps


def start(threads: int) -> str:
    """The processors this process is bound to set the number of threads; returns what this peer is.

    On a card, products of float32 are computed in full precision, as on the CPU.
    """
    found = ""
    if device.chosen() != device.CPU:
        if device.chosen() == device.EMULATED or jax.default_backend() != "gpu":
            raise UnavailableError("JAX sees no card")
        jax.config.update("jax_default_matmul_precision", "highest")
        found = f" on {jax.devices()[0].device_kind}"
    return f"jax {jax.__version__}, optax {optax.__version__}{found}"


def workload(do: str, problem: Problem) -> Run:
    """Prepare what a row does."""
    if isinstance(problem, Operation):
        return operations.workload(do, problem)
    if not isinstance(problem, Network):
        raise UnavailableError(NO_SUCH_ROW)
    if do in ("step", "read"):
        return steps.Training(problem, read=do == "read").run
    if do == "infer":
        return steps.inference(problem)
    raise UnavailableError(NO_SUCH_ROW)


def losses(problem: Network, count: int) -> list[float]:
    """The losses of the first steps."""
    return steps.Training(problem).losses(count)
