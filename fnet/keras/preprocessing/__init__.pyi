from fnet.keras.preprocessing import image as image
from fnet.keras.preprocessing import sequence as sequence
from fnet.keras.preprocessing import text as text
