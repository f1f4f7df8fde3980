from fnet.data.batches import Batches as Batches
from fnet.data.batches import batches as batches
from fnet.data.folders import LabelledFiles as LabelledFiles
from fnet.data.folders import files_by_class as files_by_class
from fnet.data.folders import text_files as text_files
from fnet.data.labels import one_hot as one_hot
from fnet.data.scaling import Scaler as Scaler
from fnet.data.scaling import min_max as min_max
from fnet.data.scaling import standardise as standardise
from fnet.data.sequences import pad_sequences as pad_sequences
from fnet.data.sequences import windows as windows
from fnet.data.splitting import train_test_split as train_test_split
from fnet.data.stream import Stream as Stream

to_categorical = one_hot
