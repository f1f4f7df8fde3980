from fnet.io import checkpoint as checkpoint
from fnet.io.models import load_model as load_model
from fnet.io.models import save_model as save_model
from fnet.io.register import register as register
from fnet.io.safetensors import load_safetensors as load_safetensors
from fnet.io.safetensors import save_safetensors as save_safetensors
from fnet.io.weights import load_weights as load_weights
from fnet.io.weights import save_weights as save_weights
