"""The CPU: arrays of NumPy, kernels in `fnet.kernels.cpu`."""
