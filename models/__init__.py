"""Models: functions of a configuration that build a compiled Keras model."""
