from fnet.keras.image_files import image_dataset_from_directory as image_dataset_from_directory
from fnet.keras.preprocessing import image as image
from fnet.keras.preprocessing import sequence as sequence
from fnet.keras.preprocessing import text as text
from fnet.keras.text_dataset import text_dataset_from_directory as text_dataset_from_directory
from fnet.keras.utils import timeseries_dataset_from_array as timeseries_dataset_from_array
