"""What the estimators take from scikit-learn, or an error that says how to install it."""

try:
    from sklearn.base import BaseEstimator as BaseEstimator
    from sklearn.base import ClassifierMixin as ClassifierMixin
    from sklearn.base import MultiOutputMixin as MultiOutputMixin
    from sklearn.base import RegressorMixin as RegressorMixin
    from sklearn.utils import check_random_state as check_random_state
    from sklearn.utils.multiclass import check_classification_targets as check_classification_targets
    from sklearn.utils.validation import _check_sample_weight as checked_sample_weight
    from sklearn.utils.validation import check_is_fitted as check_is_fitted
    from sklearn.utils.validation import column_or_1d as column_or_1d
    from sklearn.utils.validation import validate_data as validate_data
except ImportError as error:
    raise ImportError(
        f"fnet.sklearn needs scikit-learn 1.6 or later ({error}). Install it: pip install 'scikit-learn>=1.6'."
    ) from error

__all__ = [
    "BaseEstimator",
    "ClassifierMixin",
    "MultiOutputMixin",
    "RegressorMixin",
    "check_classification_targets",
    "check_is_fitted",
    "check_random_state",
    "checked_sample_weight",
    "column_or_1d",
    "validate_data",
]
