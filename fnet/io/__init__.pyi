from fnet.io import checkpoint as checkpoint
from fnet.io.weights import load_weights as load_weights
from fnet.io.weights import save_weights as save_weights
