"""Networks of Keras in files: what Keras calls a layer and its parts, in both directions."""
