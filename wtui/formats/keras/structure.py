"""How Keras's own layers are built from other layers, and the names of all its classes.

A `.weights.h5` file names groups by attributes (`forward_layer`, `cell`, `query_dense`) and by snake-case class names
(`multi_head_attention_1`); this table leads back to classes, order and names. Knows no files and no variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

__all__ = [
    "ATTENTION",
    "ATTENTION_CLASSES",
    "CELL_OF",
    "COUNTER",
    "WRAPPED",
    "class_of_auto_name",
    "class_of_snake",
    "is_keras_class",
    "snake_case",
]

CELL_OF: Mapping[str, tuple[str, str]] = {
    "LSTM": ("LSTMCell", "lstm_cell"),
    "GRU": ("GRUCell", "gru_cell"),
    "SimpleRNN": ("SimpleRNNCell", "simple_rnn_cell"),
    "ConvLSTM1D": ("ConvLSTMCell", "conv_lstm_cell"),
    "ConvLSTM2D": ("ConvLSTMCell", "conv_lstm_cell"),
    "ConvLSTM3D": ("ConvLSTMCell", "conv_lstm_cell"),
}
"""Recurrent layer -> class and name of its cell, which has no configuration of its own."""

WRAPPED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Bidirectional": (("forward_layer", "layer"), ("backward_layer", "backward_layer")),
    "TimeDistributed": (("layer", "layer"),),
    "SpectralNormalization": (("layer", "layer"),),
    "Wrapper": (("layer", "layer"),),
    "RNN": (("cell", "cell"),),
    "StackedRNNCells": (("cells", "cells"),),
    "Pipeline": (("layers", "layers"),),
}
"""Wrapper -> (attribute, key of its configuration) of the layers it holds, in Keras's order."""

ATTENTION: Mapping[str, tuple[str, str]] = {
    "query_dense": ("EinsumDense", "query"),
    "key_dense": ("EinsumDense", "key"),
    "gate_dense": ("EinsumDense", "gate"),
    "value_dense": ("EinsumDense", "value"),
    "softmax": ("Softmax", ""),
    "dropout_layer": ("Dropout", ""),
    "output_dense": ("EinsumDense", "attention_output"),
}
"""Attribute (without its leading underscore) -> class and name of the parts of an attention layer, in Keras's order."""

ATTENTION_CLASSES = frozenset({"MultiHeadAttention", "GroupedQueryAttention", "GroupQueryAttention"})

_CLASSES = """
Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention AugMix
AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization Bidirectional
CategoryEncoding CenterCrop Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D
Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D ConvLSTMCell Cropping1D Cropping2D Cropping3D
CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU EinsumDense Embedding Equalization
FeatureSpace FlaxLayer Flatten Functional GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D
GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
GroupNormalization GroupedQueryAttention HashedCrossing Hashing Identity InputLayer IntegerLookup JaxLayer LSTM
LSTMCell Lambda LayerNormalization LeakyReLU Masking MaxNumBoundingBoxes MaxPooling1D MaxPooling2D MaxPooling3D Maximum
MelSpectrogram Minimum MixUp MultiHeadAttention Multiply Normalization PReLU Permute Pipeline RMSNormalization RNN
RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop
RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert
RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation
RandomZoom ReLU RepeatVector Rescaling Reshape Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D
SeparableConv2D Sequential SimpleRNN SimpleRNNCell Softmax Solarization SpatialDropout1D SpatialDropout2D
SpatialDropout3D SpectralNormalization StackedRNNCells StringLookup Subtract TFSMLayer TextVectorization
TimeDistributed TorchModuleWrapper UnitNormalization UpSampling1D UpSampling2D UpSampling3D Wrapper ZeroPadding1D
ZeroPadding2D ZeroPadding3D
"""
"""Names of the classes of keras.layers, of the two kinds of models, and of the cells that are not exported."""

COUNTER = re.compile(r"_\d+$")


_OLDER = "CuDNNGRU CuDNNLSTM LocallyConnected1D LocallyConnected2D SyncBatchNormalization ThresholdedReLU"
"""Classes that Keras 2 had and Keras 3 has not."""

_EXPORTED_AS = {"GroupQueryAttention": "GroupedQueryAttention"}
"""Class in configurations -> its own name, where Keras exports it under another."""


@lru_cache(maxsize=1024)
def snake_case(class_name: str) -> str:
    """A class name as Keras turns it into a group's name: `Conv2D` -> `conv2d`, `LSTMCell` -> `lstm_cell`."""
    name = re.sub(r"\W+", "", _EXPORTED_AS.get(class_name, class_name))
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def class_of_snake(group: str) -> str:
    """The Keras class behind a group's name such as `dense_3`, `""` if there is none."""
    classes = _by_snake()
    return classes.get(group) or classes.get(COUNTER.sub("", group), "")


def class_of_auto_name(layer: str) -> str:
    """The class that Keras would name so by itself (`dense_7`, `forward_lstm`), `""` if there is none: a guess."""
    for prefix in ("forward_", "backward_"):
        if layer.startswith(prefix):
            return class_of_snake(layer.removeprefix(prefix))
    return class_of_snake(layer)


def is_keras_class(class_name: str) -> bool:
    """Whether Keras itself has a class of that name."""
    return class_name in _classes()


@lru_cache(maxsize=1)
def _classes() -> frozenset[str]:
    return frozenset((_CLASSES + _OLDER).split())


@lru_cache(maxsize=1)
def _by_snake() -> dict[str, str]:
    return {snake_case(name): name for name in _classes()}
