"""All that is needed to play: encoding, ONNX runtime, sampling, UCI. Never imports torch."""

__version__ = "0.1.0"
