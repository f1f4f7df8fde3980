"""What a kernel of CUDA is, how one is compiled, and how a card runs it."""
