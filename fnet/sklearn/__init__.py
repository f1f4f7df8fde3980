"""Estimators of scikit-learn that are networks: for pipelines, grid searches, cross-validation, ensembles.

scikit-learn (the extra ``sklearn``) is imported on first use only.
"""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__)
