"""What kernels are built of: vector instructions, register-blocked tiles, passes over rows, packed operands."""
