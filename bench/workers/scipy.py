"""SciPy: L-BFGS-B on the function and the gradient that it has of its own."""

from __future__ import annotations

import scipy
from scipy import optimize

from bench.problems import Network, Problem
from bench.problems.objectives import Rosenbrock
from bench.protocol import NO_SUCH_ROW, Run, UnavailableError


def start(threads: int) -> str:
    """The environment, which the parent set, has the number of threads; returns what this peer is."""
    return f"scipy {scipy.__version__}"


def workload(do: str, problem: Problem) -> Run:
    """Iterations of a minimisation."""
    if not isinstance(problem, Rosenbrock):
        raise UnavailableError(NO_SUCH_ROW)
    first = problem.start()
    options = {"maxiter": problem.iterations, "maxcor": problem.history, "ftol": 0.0, "gtol": 0.0}

    def run(count: int) -> int:
        done = 0
        while done < count:
            found = optimize.minimize(optimize.rosen, first, jac=optimize.rosen_der, method="L-BFGS-B", options=options)
            done += found.nit
        return done

    return run


def losses(problem: Network, count: int) -> list[float]:
    """SciPy trains no networks."""
    raise UnavailableError(NO_SUCH_ROW)
