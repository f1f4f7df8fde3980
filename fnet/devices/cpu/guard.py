"""Guards of steady calls: records for machine code that looks at arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fnet.compile.workspace import Workspace
from fnet.devices.cpu.executor import Executor
from fnet.kernels.cpu.runtime.guarded_call import SHARED, VALID, Change, Enter, Gate, record, versions


class RecordGuard:
    """See `fnet.device.Guard`. Whoever makes one, or ends it, works alone in the workspace."""

    shared = SHARED

    def __init__(
        self,
        entries: tuple[Enter, Change],
        runner: Executor,
        workspace: Workspace,
        state: np.ndarray | None,
        read: Sequence[tuple[int, np.dtype, tuple[int, ...]]],
        held: Sequence[tuple[np.ndarray, np.dtype, tuple[int, ...]]],
        dicts: Sequence[dict],
    ) -> None:
        self.enter, change = entries
        self._runner, self._dicts, self._held = runner, dicts, held
        self._native = native = runner.native
        self._versions = versions(dicts)
        self.sees_dicts = self._versions is not None
        self.runs = native is not None
        self.outputs = list(native.outputs) if native is not None else []
        gate = workspace.gate
        if not isinstance(gate, Gate):
            gate = workspace.gate = Gate(change)
        self._gate = gate
        step, table, written = 0, 0, []
        places = [0] * len(read)
        if native is not None:
            step, table, written = native.address(), native.table, list(native.outputs.values())
            places = [native.inputs.get(number, native.spare) for number, _, _ in read]
        kinds = [(dtype, shape, place) for (_, dtype, shape), place in zip(read, places, strict=True)]
        block = None if state is None else state.base
        self._records = [
            record(gate, step, table, owner, kinds, written, self._versions or (), held) for owner in (block, None)
        ]
        self._records.append(record(gate, 0, 0, block, kinds, (), self._versions or (), held))
        self.record, self.apart, self.look = (words.__array_interface__["data"][0] for words in self._records)

    def is_current(self) -> bool:
        return self._native is self._runner.native and self._versions == versions(self._dicts)

    def end(self) -> None:
        for words in self._records:
            words[VALID] = 0
