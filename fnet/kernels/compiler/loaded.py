"""The import of Numba, during which Ctrl-C waits: half an import leaves modules that fail in every later call."""

from fnet.kernels.compiler.undisturbed import interrupts_put_off

with interrupts_put_off():
    import numba  # noqa: F401  (what comes after finds it)
