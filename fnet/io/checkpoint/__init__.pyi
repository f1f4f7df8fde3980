from fnet.io.checkpoint.rotation import Rotation as Rotation
from fnet.io.checkpoint.rotation import latest as latest
from fnet.io.checkpoint.trees import load as load
from fnet.io.checkpoint.trees import save as save
