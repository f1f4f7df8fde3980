# Several models as one that averages them.
import keras
from keras import layers


def get_model():
    inputs = keras.Input(shape=(16,))
    return keras.Model(inputs, layers.Dense(1)(inputs))


model1, model2, model3 = get_model(), get_model(), get_model()
inputs = keras.Input(shape=(16,))
outputs = layers.average([model1(inputs), model2(inputs), model3(inputs)])
ensemble_model = keras.Model(inputs=inputs, outputs=outputs)
ensemble_model.compile("sgd", "mse")
print(len(ensemble_model.weights))
