"""What TensorFlow's formats share: tables, bundles, object graphs, graphs of operations, and how variables are named.

The formats themselves are the modules beside this package: `tf_checkpoint`, `saved_model`, `tf_graph`.
"""
