"""Where the samples of a training run come from: each kind of data is a `Source`, which hands out chunks of steps."""
