"""What is computed: encoders, decoders, outputs, the systems they make, and how these are saved."""
