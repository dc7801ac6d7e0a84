"""Comparing models: which tensors belong together (insight), how far they are apart (engine), rolled up to layers.

`comparison` is for commands and programs, `structure` asks only whether weights would load, `joined`, `session`
and `child` serve the browser. Knows no front end.
"""
