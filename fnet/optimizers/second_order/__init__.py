"""Second-order methods, exact through the transforms: they see how the function bends, not only where it falls.

A method is a pure pair ``init(f, params) -> state`` and ``step(f, params, state) -> (params, state, info)``; `minimize`
and `least_squares` run one to the end. They are for smooth functions without noise, so for training on all the data.
"""
