"""Lowering rules of CUDA, one family a module."""
