"""Networks: the pair that a layer is, what combines layers, and what a network as a whole says of its parameters."""
