"""The default CNN on Keras 3 with TensorFlow; import after set_threads."""
import os


def set_threads(count):
    """Before keras is imported: TensorFlow takes its threads once."""
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    os.environ["OMP_NUM_THREADS"] = str(count)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def cnn():
    import keras
    from keras import layers

    return keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"), layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2),
        layers.Dropout(0.25), layers.Flatten(), layers.Dropout(0.5), layers.Dense(10, activation="softmax"),
    ])


def compile_model(model, loss, compiled=False):
    """Returns the model, ready to train; `compiled` sets jit_compile (XLA), which Keras itself leaves off without a GPU."""
    import keras

    metrics = [] if loss == "mse" else ["accuracy"]
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=metrics, jit_compile=compiled)
    return model


def build():
    """Returns the CNN, ready to train."""
    import keras

    keras.utils.set_random_seed(0)
    return compile_model(cnn(), "sparse_categorical_crossentropy")
