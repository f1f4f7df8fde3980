"""Metrics: pure accumulators over batches, ``state = update(state, y_true, y_pred)``, ``result(state)``.

The state holds float64 sums, so that long epochs keep their digits and any split into batches gives the same result.
Every metric has two names, ``metrics.auc(curve="PR")`` and Keras' ``metrics.AUC(curve="PR")``.
"""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__)
