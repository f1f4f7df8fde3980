# Classes of series by convolutions over time.
import keras


def make_model(input_shape, num_classes=2):
    input_layer = keras.layers.Input(input_shape)
    conv = input_layer
    for _ in range(3):
        conv = keras.layers.Conv1D(filters=8, kernel_size=3, padding="same")(conv)
        conv = keras.layers.BatchNormalization()(conv)
        conv = keras.layers.ReLU()(conv)
    gap = keras.layers.GlobalAveragePooling1D()(conv)
    output_layer = keras.layers.Dense(num_classes, activation="softmax")(gap)
    return keras.models.Model(inputs=input_layer, outputs=output_layer)


model = make_model((20, 1))
model.summary()
model.compile(optimizer="sgd", loss="categorical_crossentropy", metrics=["categorical_accuracy"])
