"""tfmir: disentangled music similarity in TensorFlow. Importing the package imports no TensorFlow."""

__version__ = "0.2.0.dev0"
