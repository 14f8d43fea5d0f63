"""The one exception that a user is meant to read.

Commands print its message on one line and exit with a status other than 0; everything else is a bug and
keeps its traceback.
"""


class UserError(Exception):
    """Something a user can mend: the message names what was found, what was expected, and the remedy."""
