"""`jit`: trace once per kind of arguments, plan once, then only run kernels."""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable
from typing import Any, Concatenate, Generic, Literal, NamedTuple, ParamSpec, Protocol, TypeVar, overload

from fnet import tree
from fnet.arguments import is_integer
from fnet.compile.living import Living
from fnet.compile.program import check_executor
from fnet.compile.workspace import Workspace
from fnet.context import in_force
from fnet.device import FOUND, cpu
from fnet.errors import TracingError, ValueRangeError
from fnet.transforms.call import Call, bound_call
from fnet.transforms.donation import feeding
from fnet.transforms.method import Method, behind_first, of_instance
from fnet.transforms.primitive import spec_of
from fnet.transforms.signature import Names, Signature
from fnet.transforms.specialised import Specialised
from fnet.transforms.stage import OuterValueError

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
T = TypeVar("T")
Executor = Literal["auto", "walk", "native"]


class _Jit(Protocol):
    def __call__(self, f: Callable[P, R], /) -> Jitted[P, R]: ...


@overload
def jit(f: Callable[P, R], *, donate: Names = (), static: Names = (), executor: Executor = "auto") -> Jitted[P, R]: ...


@overload
def jit(f: None = None, *, donate: Names = (), static: Names = (), executor: Executor = "auto") -> _Jit: ...


def jit(
    f: Callable[..., Any] | None = None, *, donate: Names = (), static: Names = (), executor: Executor = "auto"
) -> Any:
    """Compile `f`: a pure function of trees of arrays becomes one flat plan of kernel calls.

    donate: names or positions of arguments that the function updates. The results hold the new values: under the
        names of the arguments in a dict, else as the first results, in the order of the arguments. Pass a tree that a
        call returned to the next call, and that call updates the tree in place; copy what you want to keep. Any other
        tree is copied first, so a call never changes arrays of your own.
    static: names or positions of arguments that are ordinary, hashable Python values; each value is traced.
    executor: "walk" runs the plan from Python, "native" compiles it to one function, "auto" chooses.
    Returns a callable with the signature of `f`. ``repeat(count, *args)`` makes many calls in a row, ``plan(*args)``
    shows the kernels, ``memory()`` says how many bytes are held. It works on methods, too: the instance is a constant.
    Python control flow runs while tracing. A branch on a traced value raises `TracingError`.

    >>> import numpy as np, fnet
    >>> f = fnet.jit(lambda x: np.sum(x * x))
    >>> f(np.array([1.0, 2.0]))
    array(5.)
    """
    if f is None:
        return functools.partial(jit, donate=donate, static=static, executor=executor)
    return functools.update_wrapper(Jitted(f, donate, static, executor), f)


class HeldMemory(NamedTuple):
    """What a jitted function holds: the number of its programs, and bytes.

    arena: bytes of the memory in which all programs compute. fixed: bytes of the constants of the programs. state:
    bytes of the donated arrays.
    """

    programs: int
    arena: int
    fixed: int
    state: int


HOLDING_STATE = 2
"""How many programs of a function keep the donated arrays that they returned: those that ran last."""

_LEAF = tree.structure(0)
_ALL: Living[Jitted[..., Any]] = Living()
_clock = itertools.count()
_limit = 256


def set_program_limit(count: int) -> None:
    """Let every jitted function keep up to `count` programs, one for each kind of arguments. The default is 256.

    A function that has more forgets the program that it has not used for longest. It traces and plans a forgotten
    program again when it needs it.

    >>> set_program_limit(256)
    """
    global _limit  # noqa: PLW0603  (the setting is one for the process)
    if count < 1:
        raise ValueRangeError(f"the limit of programs must be at least 1, received {count}.")
    _limit = count


def clear_cache() -> None:
    """Forget programs of jitted functions and recorded eager calls, and free memory. Machine code on disk stays."""
    for jitted in _ALL:
        jitted.clear()
    for device in dict.fromkeys([cpu(), *FOUND.values()]):
        device.clear()


class Jitted(Generic[P, R]):
    """A compiled function; see `jit`."""

    def __init__(self, f: Callable[P, R], donate: Names, static: Names, executor: Executor) -> None:
        self._f = f
        self._options = donate, static, executor
        self._signature = Signature(f)
        self._donate = self._signature.labels(donate, "donate")
        self._static = self._signature.labels(static, "static")
        self._executor = check_executor(executor)
        self._workspace = Workspace()
        self._compiled: dict[Any, Specialised] = {}
        self._latest: Specialised | None = None
        self._recent: list[Specialised] = []
        self._instances: dict[int, Jitted[..., Any]] = {}
        self._within: Jitted[..., Any] | None = None
        _ALL.add(self)
        if self._donate & self._static:
            raise ValueRangeError("an argument cannot be both donated and static.")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        latest = self._latest
        if latest is not None and not kwargs:
            result = (latest.fast or latest.run_steady)(args)
            if result is not None:
                return result
        if self._workspace.is_interrupted():
            return self._for_interrupts()(*args, **kwargs)
        call = bound_call(self._signature, self._static, args, kwargs)
        compiled = self._specialise(call)
        return self._f(*args, **kwargs) if compiled is None else compiled.run(call.args, call.leaves)

    def repeat(self, count: int, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `count` times in a row without returning to Python; a call gets the donated results of the one before.

        The other results are those of the last call. Raises `StructureError`, `ShapeError` or `DtypeError` where no
        result fits a donated argument.
        """
        if not is_integer(count) or count < 1:
            raise ValueRangeError(f"repeat needs a count of at least 1, a whole number; received {count!r}.")
        latest = self._latest
        if latest is not None and not kwargs and latest.feeding.fault is None:
            result = (latest.fast_repeat or latest.repeat_steady)(args, count)
            if result is not None:
                return result
        if self._workspace.is_interrupted():
            return self._for_interrupts().repeat(count, *args, **kwargs)
        call = bound_call(self._signature, self._static, args, kwargs)
        compiled = self._specialise(call)
        if compiled is None:
            return self._looped(count, call)
        if compiled.feeding.fault is not None:
            raise compiled.feeding.fault.with_traceback(None)
        if count == 1 or not compiled.feeding.is_weak:
            return compiled.run(call.args, call.leaves, count)
        # Numbers of Python become arrays in the first call.
        fed = compiled.feeding.fed(call.args, compiled.run(call.args, call.leaves))
        positional = len(fed) - len(call.by_keyword)
        return self.repeat(count - 1, *fed[:positional], **dict(zip(call.by_keyword, fed[positional:], strict=True)))

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """The plan for these arguments. Print it to see kernels, shapes and bytes."""
        return self.compiled(*args, **kwargs).program.plan

    def compiled(self, *args: P.args, **kwargs: P.kwargs) -> Specialised:
        """The program for these arguments, which is made if need be and not run."""
        compiled = self._specialise(bound_call(self._signature, self._static, args, kwargs))
        if compiled is None:
            raise TracingError("a call inside another transform has no plan: it becomes part of that transform.")
        return compiled

    def latest(self) -> Any:
        """What the last call returned, if a call that passes its donated parts back can update them; else None."""
        latest = self._latest
        return None if latest is None or latest.steady is None else latest.steady.returned

    def memory(self) -> HeldMemory:
        """How many programs there are, and how many bytes they hold."""
        programs = [compiled.program for compiled in list(self._compiled.values())]
        fixed, state = sum(p.plan.fixed_bytes for p in programs), sum(p.device.size_of(p.state) for p in programs)
        return HeldMemory(len(programs), self._workspace.nbytes, fixed, state)

    def clear(self) -> None:
        """Forget all programs and give their memory back."""
        self._latest, self._recent, self._within = None, [], None
        while self._compiled:
            self._compiled.popitem()[1].release()
        self._workspace.alone(self._workspace.clear)

    @overload
    def __get__(self, receiver: None, owner: type | None = None) -> Jitted[P, R]: ...

    @overload
    def __get__(self: Jitted[Concatenate[T, Q], R], receiver: T, owner: type | None = None) -> Method[Q, R]: ...

    def __get__(self, receiver: Any, owner: type | None = None) -> Any:
        """The function as a method. An instance of a registered tree class is an argument, any other a constant."""
        if receiver is None:
            return self
        if tree.structure(receiver) != _LEAF:
            return Method(self, receiver, (receiver,))
        jitted = self._instances.get(id(receiver))
        if jitted is None:
            f = of_instance(self._f, receiver, functools.partial(self._forget, id(receiver)))
            donate, static, executor = self._options
            first = self._signature.name(0)
            made = Jitted(f, behind_first(donate, first, "donate"), behind_first(static, first, "static"), executor)
            functools.update_wrapper(made, self._f)
            jitted = self._instances.setdefault(id(receiver), made)
        return Method(jitted, receiver, ())

    def __deepcopy__(self, memo: dict[int, Any]) -> Jitted[P, R]:
        return _restored(self._f, *self._options)

    def __reduce__(self) -> str | tuple[Any, ...]:
        """By name, as functions are pickled; one that cannot be found there, by the function it was made of."""
        found: Any = sys.modules.get(getattr(self, "__module__", ""))
        name: str = getattr(self, "__qualname__", "")
        for part in name.split("."):
            found = getattr(found, part, None)
        return name if found is self else (_restored, (self._f, *self._options))

    def _for_interrupts(self) -> Jitted:
        """The same function in a memory of its own, for a call that interrupts another one in the same thread."""
        self._within = self._within or _restored(self._f, *self._options)
        return self._within

    def _forget(self, receiver: int) -> None:
        self._instances.pop(receiver, None)

    def _specialise(self, call: Call) -> Specialised | None:
        """The program for a call, which is made if need be; None where the call is a part of its caller."""
        if call.is_traced:
            return None
        device, context = call.device(self._signature), in_force()
        level = context.precision
        key = (call.key, call.kinds(), device, level)
        found = self._compiled.get(key)
        if found is None:
            try:
                found = Specialised(
                    self._f, call, self._donate, self._signature, self._executor, self._workspace, level
                )
            except OuterValueError:
                return None
            found = self._compiled.setdefault(key, found)
        if not found.is_for(context):
            return None
        self._use(found)
        return found

    def _use(self, compiled: Specialised) -> None:
        """Note that a program runs. Programs that have not run for long give up donated arrays, or are forgotten."""
        self._latest = compiled
        compiled.used = next(_clock)
        if compiled not in self._recent[:1]:
            recent = [compiled, *(other for other in self._recent if other is not compiled)]
            self._recent = recent[:HOLDING_STATE]
            for other in recent[HOLDING_STATE:]:
                other.release()
        if len(self._compiled) > _limit:
            by_use = sorted(self._compiled.items(), key=lambda item: item[1].used)
            for key, other in by_use[:-_limit]:
                if self._compiled.pop(key, None) is not None:
                    other.release()

    def _looped(self, count: int, call: Call) -> Any:
        """Make the calls of `repeat` one after the other, as parts of the caller."""
        f, args = call.applied(self._f), call.args
        donated = call.donated(self._donate, self._signature)
        for _ in range(count):
            result = f(*args)
            leaves, structure = tree.flatten(result)
            back = feeding(structure, [spec_of(leaf) for leaf in leaves], donated)
            if back.fault is not None:
                raise back.fault
            args = back.fed(args, result)
        return result


def _restored(f: Callable[P, R], donate: Names, static: Names, executor: Executor) -> Jitted[P, R]:
    return jit(f, donate=donate, static=static, executor=executor)
