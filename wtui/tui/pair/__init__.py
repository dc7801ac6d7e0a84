"""The browser of two models as one tree: what is its own; the panes are those of the browser of one model."""
