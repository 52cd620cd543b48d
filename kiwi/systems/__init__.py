"""Systems: their encoders, decoders and outputs, configuration, checkpoints and export."""
