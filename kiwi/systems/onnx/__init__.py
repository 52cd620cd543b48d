"""Export of systems to ONNX."""
