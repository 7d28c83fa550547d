"""URLs as they may be shown: without the secrets that they carry."""

import re

_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")


def without_userinfo(text: str) -> str:
    """Leave out user and password of every URL in a text.

    >>> without_userinfo("no answer from https://ada:secret@mlflow.example/api")
    'no answer from https://mlflow.example/api'
    """
    return _USERINFO.sub("", text)
