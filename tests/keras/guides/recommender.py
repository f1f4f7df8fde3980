# Users and films: a model by a class that multiplies vectors of both.
import keras
import numpy as np
from keras import layers, ops

EMBEDDING_SIZE = 6


class RecommenderNet(keras.Model):
    def __init__(self, num_users, num_movies, embedding_size, **kwargs):
        super().__init__(**kwargs)
        self.num_users = num_users
        self.user_embedding = layers.Embedding(
            num_users, embedding_size, embeddings_initializer="he_normal",
            embeddings_regularizer=keras.regularizers.l2(1e-6),
        )  # fmt: skip
        self.user_bias = layers.Embedding(num_users, 1)
        self.movie_embedding = layers.Embedding(
            num_movies, embedding_size, embeddings_initializer="he_normal",
            embeddings_regularizer=keras.regularizers.l2(1e-6),
        )  # fmt: skip
        self.movie_bias = layers.Embedding(num_movies, 1)

    def call(self, inputs):
        user_vector = self.user_embedding(inputs[:, 0])
        user_bias = self.user_bias(inputs[:, 0])
        movie_vector = self.movie_embedding(inputs[:, 1])
        movie_bias = self.movie_bias(inputs[:, 1])
        dot_user_movie = ops.sum(user_vector * movie_vector, axis=1, keepdims=True)
        x = dot_user_movie + user_bias + movie_bias
        return ops.nn.sigmoid(x)


rng = np.random.default_rng(0)
x, y = np.stack([rng.integers(0, 20, 64), rng.integers(0, 30, 64)], 1), rng.random((64, 1))
example = (x, y)
net = RecommenderNet(20, 30, EMBEDDING_SIZE)
net.compile(loss=keras.losses.BinaryCrossentropy(), optimizer=keras.optimizers.Adam(learning_rate=0.001))
history = net.fit(x=x, y=y, batch_size=64, epochs=2, verbose=0, validation_data=(x, y))
print(sorted(history.history), net.predict(x[:3], verbose=0).shape)
