"""Opening TensorFlow's files against TensorFlow. `python -m tests.bench.open_tensorflow`

Whole processes: `wtui ls` against importing TensorFlow and loading the file, in turn; and resident memory after
opening. The models are made from VGG16 in a process of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.bench import models
from tests.bench.open_other import compare
from tests.bench.report import heading

__all__ = ["run"]

MAKE = """
import sys, keras, tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2 as freeze
source, folder = sys.argv[1:]
model = keras.models.load_model(source, compile=False)
tf.train.Checkpoint(model=model).save(folder + "/tf_checkpoint/ckpt")
model.export(folder + "/tf_saved_model", verbose=False)
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
open(folder + "/int8.tflite", "wb").write(converter.convert())
call = tf.function(lambda x: model(x)).get_concrete_function(tf.TensorSpec([1, 224, 224, 3]))
open(folder + "/frozen.pb", "wb").write(freeze(call).graph.as_graph_def().SerializeToString())
names = [f"block{i // 10}/layer{i % 10}/kernel" for i in range(20_000)]
values = [tf.zeros((3, 4))] * len(names)
tf.io.gfile.makedirs(folder + "/tf_many")
tf.raw_ops.SaveV2(prefix=folder + "/tf_many/m", tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
"""

READ = (
    "import tensorflow as tf; r = tf.train.load_checkpoint(sys.argv[1] + '/{}');"
    "[r.get_tensor(k) for k in r.get_variable_to_shape_map()]"
)
CASES = (
    ("tf_checkpoint", "load_checkpoint, all tensors", READ.format("ckpt-1")),
    ("tf_saved_model", "tf.saved_model.load", "import tensorflow as tf; tf.saved_model.load(sys.argv[1])"),
    (
        "frozen.pb", "import_graph_def",
        "import tensorflow as tf; g = tf.compat.v1.GraphDef(); g.ParseFromString(open(sys.argv[1], 'rb').read());"
        "tf.graph_util.import_graph_def(g, name='')",
    ),
    ("int8.tflite", "tf.lite.Interpreter", "import tensorflow as tf; tf.lite.Interpreter(sys.argv[1])"),
    ("tf_many", "load_checkpoint, all tensors", READ.format("m")),
)  # fmt: skip
"""File, what it is compared with."""

MANY = "tf_many"
"""20,000 small tensors: printing a line for each takes longer than opening."""

AT_LEAST = 6
"""Times that `wtui ls` must be faster."""


def run() -> None:
    """Every case."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    heading("opening TensorFlow's files: whole processes, medians of pairs in turn; resident memory after opening")
    folder = models.folder()
    if not (folder / "tf_many").exists():
        env = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        make = [sys.executable, "-c", MAKE, str(models.vgg16()), str(folder)]
        subprocess.run(make, check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name, loader, code in CASES:
        compare(folder / name, loader, code, 0 if name == MANY else AT_LEAST)


if __name__ == "__main__":
    run()
