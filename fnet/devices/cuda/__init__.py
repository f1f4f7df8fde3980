"""The device of NVIDIA's cards, one for each card: CUDA kernels, a pool of memory, graphs."""
