from fnet.metrics.accuracy import accuracy as accuracy
from fnet.metrics.accuracy import binary_accuracy as binary_accuracy
from fnet.metrics.accuracy import categorical_accuracy as categorical_accuracy
from fnet.metrics.accuracy import sparse_categorical_accuracy as sparse_categorical_accuracy
from fnet.metrics.accuracy import sparse_top_k_categorical_accuracy as sparse_top_k_categorical_accuracy
from fnet.metrics.accuracy import top_k_categorical_accuracy as top_k_categorical_accuracy
from fnet.metrics.correlation import concordance_correlation as concordance_correlation
from fnet.metrics.correlation import pearson_correlation as pearson_correlation
from fnet.metrics.curves import auc as auc
from fnet.metrics.curves import precision_at_recall as precision_at_recall
from fnet.metrics.curves import recall_at_precision as recall_at_precision
from fnet.metrics.curves import sensitivity_at_specificity as sensitivity_at_specificity
from fnet.metrics.curves import specificity_at_sensitivity as specificity_at_sensitivity
from fnet.metrics.define import METRICS as METRICS
from fnet.metrics.define import Metric as Metric
from fnet.metrics.define import initial_state as initial_state
from fnet.metrics.define import metric_constructor as metric_constructor
from fnet.metrics.define import nothing as nothing
from fnet.metrics.edit_distance import edit_distance as edit_distance
from fnet.metrics.fbeta import f1_score as f1_score
from fnet.metrics.fbeta import fbeta_score as fbeta_score
from fnet.metrics.iou import binary_iou as binary_iou
from fnet.metrics.iou import confusion_matrix as confusion_matrix
from fnet.metrics.iou import iou as iou
from fnet.metrics.iou import mean_iou as mean_iou
from fnet.metrics.iou import one_hot_iou as one_hot_iou
from fnet.metrics.iou import one_hot_mean_iou as one_hot_mean_iou
from fnet.metrics.names import get as get
from fnet.metrics.probabilistic import binary_crossentropy as binary_crossentropy
from fnet.metrics.probabilistic import binary_focal_crossentropy as binary_focal_crossentropy
from fnet.metrics.probabilistic import categorical_crossentropy as categorical_crossentropy
from fnet.metrics.probabilistic import categorical_focal_crossentropy as categorical_focal_crossentropy
from fnet.metrics.probabilistic import categorical_hinge as categorical_hinge
from fnet.metrics.probabilistic import crossentropy as crossentropy
from fnet.metrics.probabilistic import hinge as hinge
from fnet.metrics.probabilistic import kl_divergence as kl_divergence
from fnet.metrics.probabilistic import perplexity as perplexity
from fnet.metrics.probabilistic import poisson as poisson
from fnet.metrics.probabilistic import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from fnet.metrics.probabilistic import squared_hinge as squared_hinge
from fnet.metrics.reduction import mean as mean
from fnet.metrics.reduction import mean_of as mean_of
from fnet.metrics.reduction import sum as sum
from fnet.metrics.regression import cosine_similarity as cosine_similarity
from fnet.metrics.regression import huber as huber
from fnet.metrics.regression import log_cosh as log_cosh
from fnet.metrics.regression import mean_absolute_error as mean_absolute_error
from fnet.metrics.regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from fnet.metrics.regression import mean_squared_error as mean_squared_error
from fnet.metrics.regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from fnet.metrics.regression import r2_score as r2_score
from fnet.metrics.regression import root_mean_squared_error as root_mean_squared_error
from fnet.metrics.thresholds import false_negatives as false_negatives
from fnet.metrics.thresholds import false_positives as false_positives
from fnet.metrics.thresholds import precision as precision
from fnet.metrics.thresholds import recall as recall
from fnet.metrics.thresholds import true_negatives as true_negatives
from fnet.metrics.thresholds import true_positives as true_positives

# Other names, such as those of Keras' classes.
acc = accuracy
Accuracy = accuracy
BinaryAccuracy = binary_accuracy
CategoricalAccuracy = categorical_accuracy
SparseCategoricalAccuracy = sparse_categorical_accuracy
TopKCategoricalAccuracy = top_k_categorical_accuracy
SparseTopKCategoricalAccuracy = sparse_top_k_categorical_accuracy
TruePositives = true_positives
FalsePositives = false_positives
TrueNegatives = true_negatives
FalseNegatives = false_negatives
Precision = precision
Recall = recall
AUC = auc
SensitivityAtSpecificity = sensitivity_at_specificity
SpecificityAtSensitivity = specificity_at_sensitivity
PrecisionAtRecall = precision_at_recall
RecallAtPrecision = recall_at_precision
f_beta_score = fbeta_score
FBetaScore = fbeta_score
F1Score = f1_score
f1 = f1_score
mse = mean_squared_error
MSE = mean_squared_error
MeanSquaredError = mean_squared_error
rmse = root_mean_squared_error
RMSE = root_mean_squared_error
RootMeanSquaredError = root_mean_squared_error
mae = mean_absolute_error
MAE = mean_absolute_error
MeanAbsoluteError = mean_absolute_error
mape = mean_absolute_percentage_error
MAPE = mean_absolute_percentage_error
MeanAbsolutePercentageError = mean_absolute_percentage_error
msle = mean_squared_logarithmic_error
MSLE = mean_squared_logarithmic_error
MeanSquaredLogarithmicError = mean_squared_logarithmic_error
logcosh = log_cosh
log_cosh_error = log_cosh
LogCoshError = log_cosh
Huber = huber
CosineSimilarity = cosine_similarity
R2Score = r2_score
r2 = r2_score
PearsonCorrelation = pearson_correlation
ConcordanceCorrelation = concordance_correlation
KLDivergence = kl_divergence
Poisson = poisson
Hinge = hinge
SquaredHinge = squared_hinge
CategoricalHinge = categorical_hinge
bce = binary_crossentropy
BCE = binary_crossentropy
BinaryCrossentropy = binary_crossentropy
CategoricalCrossentropy = categorical_crossentropy
SparseCategoricalCrossentropy = sparse_categorical_crossentropy
ce = crossentropy
Perplexity = perplexity
ConfusionMatrix = confusion_matrix
io_u = iou
IoU = iou
mean_io_u = mean_iou
MeanIoU = mean_iou
one_hot_io_u = one_hot_iou
OneHotIoU = one_hot_iou
one_hot_mean_io_u = one_hot_mean_iou
OneHotMeanIoU = one_hot_mean_iou
binary_io_u = binary_iou
BinaryIoU = binary_iou
EditDistance = edit_distance
Mean = mean
Sum = sum
