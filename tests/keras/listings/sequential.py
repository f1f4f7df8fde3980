import tensorflow as tf

model = tf.keras.Sequential()
model.add(tf.keras.layers.Dense(32, input_shape=(784,)))
model.add(tf.keras.layers.Dense(10))
model.add(tf.keras.layers.Dense(20))
model.summary()
