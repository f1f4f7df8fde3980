"""Small data sets that scikit-learn and statsmodels bring, each with ``load_data()``; nothing is downloaded.

``digits``, ``iris``, ``wine``, ``breast_cancer``: classes. ``diabetes``: a number. ``sunspots``, ``co2``, ``nile``:
series. Those of Keras are not bundled with any library: asking for one says what stands near it.
"""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__)
