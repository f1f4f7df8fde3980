from fnet.keras.copying import clone_model as clone_model
from fnet.keras.copying import model_from_json as model_from_json
from fnet.keras.from_functional import from_functional as from_functional
from fnet.keras.input import Input as Input
from fnet.keras.models.model import Model as Model
from fnet.keras.models.sequential import Sequential as Sequential
from fnet.keras.saving import load_model as load_model
from fnet.keras.saving import save_model as save_model
