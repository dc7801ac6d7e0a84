"""What the Keras formats share: the meaning of configurations, of HDF5 paths, and of numbered variables.

Keras is never imported; what its classes save is held in tables, which the tests hold to Keras itself.
"""
