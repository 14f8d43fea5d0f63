"""The command: what it refuses, what it says, how it ends; and the page itself in a browser without a network."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from tests.fixtures.commands import called
from tests.fixtures.page import TAGS, Standin, track_id, untrained_run, write_songs
from tfmir import files
from tfmir.errors import UserError
from tfmir.inference import index as index_module
from tfmir.serving.page.app import build_app
from tfmir.serving.page.catalogue import Catalogue
from tfmir.serving.page.embedders import RunEmbedder
from tfmir.serving.page.server import running
from tfmir.serving.page.uploads import Uploads

pytest_plugins = []


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    write_songs(folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained_run(str(tmp_path_factory.mktemp("runs") / "new"))


@pytest.fixture
def opened(songs, run, monkeypatch):
    """The index of the catalogue of `tests/fixtures/page.py`, made with the run's weights."""
    index = Standin(songs)
    index.weights_sha256 = files.sha256(run.best_weights)
    monkeypatch.setattr(index_module, "open_index", lambda folder: index)
    return index
