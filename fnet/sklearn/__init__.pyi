from fnet.sklearn.classifier import FnetClassifier as FnetClassifier
from fnet.sklearn.regressor import FnetRegressor as FnetRegressor
