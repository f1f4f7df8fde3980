"""How layers are said in Keras' configs, one family of layers a file; each has its `ROWS`."""
