"""What readers of safetensors files share: the header, the files beside the weights, adapters, packed weights."""
