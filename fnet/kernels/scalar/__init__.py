"""Scalar functions as plain Python, one text for every device and for float32 and float64 (see `loading`)."""
