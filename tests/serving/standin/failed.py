"""What TensorFlow refuses, and how its types are called."""

import numpy as np

STRING = 7
# DataType -> NumPy's.
DTYPES = {
    1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 5: np.int16, 6: np.int8, 9: np.int64, 10: np.bool_,
    17: np.uint16, 19: np.float16, 22: np.uint32, 23: np.uint64,
}  # fmt: skip
NUMBERS = {np.dtype(dtype): number for number, dtype in DTYPES.items()}


class Failed(Exception):
    """What TensorFlow refuses: one of the codes that gRPC has too, and a message."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
