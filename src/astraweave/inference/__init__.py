"""onnxruntime sessions, providers, and the thread budget that all models share."""
