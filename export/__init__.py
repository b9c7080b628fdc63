"""A checkpoint becomes an ONNX net, with proof that both agree."""
