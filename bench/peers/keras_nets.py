"""The models of bench/step-models.ts on Keras 3, with a loss and random batches; import after set_threads."""
import keras
import numpy as np
from keras import layers
from keras_model import cnn

COLUMNS = [(1115, 10), (7, 6), (3, 2), (12, 6), (31, 10), (12, 6)]
CHARACTERS, LENGTH = 90, 80
LABELS = "sparse_categorical_crossentropy"


def dense():
    return keras.Sequential([
        keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    ])


def table():
    columns = [keras.Input(()) for _ in COLUMNS]
    promotion = keras.Input((1,))
    rows = [layers.Embedding(below, units)(column) for (below, units), column in zip(COLUMNS, columns)]
    x = layers.Concatenate()([*rows, promotion])
    x = layers.Dense(500, activation="relu")(layers.Dense(1000, activation="relu")(x))
    return keras.Model([*columns, promotion], layers.Dense(1, activation="sigmoid")(x))


def lstm():
    return keras.Sequential([
        keras.Input((LENGTH,)), layers.Embedding(CHARACTERS, 8), layers.LSTM(128),
        layers.Dense(CHARACTERS, activation="softmax"),
    ])


def resnet():
    def convolve(x, filters, side, stride):
        x = layers.Conv2D(filters, side, stride, padding="same", use_bias=False)(x)
        return layers.GroupNormalization(8)(x)

    image = keras.Input((32, 32, 3))
    x = layers.Activation("relu")(convolve(image, 16, 3, 1))
    for filters, stride in [(16, 1), (32, 2), (64, 2)]:
        y = layers.Activation("relu")(convolve(x, filters, 3, stride))
        y = convolve(y, filters, 3, 1)
        x = layers.Activation("relu")(layers.Add()([y, x if stride == 1 else convolve(x, filters, 1, stride)]))
    return keras.Model(image, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def images(*shape):
    return lambda random, count: (random.random((count, *shape), np.float32), random.integers(0, 10, count))


def table_rows(random, count):
    columns = [random.integers(0, below, count) for below, _ in COLUMNS]
    return [*columns, random.random((count, 1), np.float32)], random.random((count, 1), np.float32)


def texts(random, count):
    return random.integers(0, CHARACTERS, (count, LENGTH)), random.integers(0, CHARACTERS, count)


MODELS = {
    "cnn": (cnn, LABELS, images(28, 28, 1)),
    "dense": (dense, LABELS, images(28, 28, 1)),
    "table": (table, "mse", table_rows),
    "lstm": (lstm, LABELS, texts),
    "resnet": (resnet, LABELS, images(32, 32, 3)),
}
