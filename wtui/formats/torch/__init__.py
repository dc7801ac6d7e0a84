"""What PyTorch writes, in pieces that its readers share: archives, legacy files, tensors, modules, optimizers.

Nothing here reads values or runs anything; `wtui.formats.inert` reads the pickles.
"""
