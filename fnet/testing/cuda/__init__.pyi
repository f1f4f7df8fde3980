from fnet.testing.cuda.faults import DeadlockError as DeadlockError
from fnet.testing.cuda.faults import DivergenceError as DivergenceError
from fnet.testing.cuda.faults import KernelError as KernelError
from fnet.testing.cuda.faults import KernelIndexError as KernelIndexError
from fnet.testing.cuda.faults import RaceError as RaceError
from fnet.testing.cuda.faults import UnwrittenError as UnwrittenError
from fnet.testing.cuda.launch import run_kernel as run_kernel
