"""wtui: a terminal browser for the weights inside neural-network model files."""

__version__ = "0.1.0"
