# The Sequential model: layers one by one, when to build, a look inside, features of a layer in the middle.
import keras
import numpy as np
from keras import layers, ops

model = keras.Sequential(name="my_sequential")
model.add(layers.Dense(2, activation="relu", name="layer1"))
model.add(layers.Dense(3, activation="relu", name="layer2"))
model.add(layers.Dense(4, name="layer3"))
print(len(model.layers))
model.pop()
print(len(model.layers))
model.add(layers.Dense(4, name="layer3"))
y = model(ops.ones((1, 4)))
print(tuple(y.shape), len(model.weights))

convnet = keras.Sequential()
convnet.add(keras.Input(shape=(26, 26, 3)))
convnet.add(layers.Conv2D(8, 5, strides=2, activation="relu"))
convnet.add(layers.Conv2D(8, 3, activation="relu"))
convnet.add(layers.MaxPooling2D(3))
convnet.add(layers.Conv2D(8, 3, activation="relu", name="my_intermediate_layer", padding="same"))
convnet.add(layers.GlobalMaxPooling2D())
convnet.summary()

extractor = keras.Model(inputs=convnet.inputs, outputs=[layer.output for layer in convnet.layers])
features = extractor(np.ones((1, 26, 26, 3), "float32"))
print([tuple(f.shape) for f in features])
one = keras.Model(inputs=convnet.inputs, outputs=convnet.get_layer(name="my_intermediate_layer").output)
print(tuple(one(np.ones((1, 26, 26, 3), "float32")).shape))
