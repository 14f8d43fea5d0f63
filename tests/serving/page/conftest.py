import warnings

import pytest

from tests.fixtures.page import Standin, write_songs
from tfmir.serving.page.app import build_app
from tfmir.serving.page.catalogue import Catalogue
from tfmir.serving.page.uploads import Uploads

with warnings.catch_warnings():  # Starlette would rather have httpx2, which nothing else here uses
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient


@pytest.fixture(scope="session")
def songs(tmp_path_factory):
    """A folder of audio for the catalogue of `tests/fixtures/page.py`."""
    folder = tmp_path_factory.mktemp("songs")
    write_songs(folder)
    return folder


@pytest.fixture(scope="session")
def catalogue(songs):
    return Catalogue(Standin(songs))


@pytest.fixture
def page(catalogue, songs, tmp_path):
    """The page for a browser on this machine; uploads are off."""
    app = build_app(catalogue, Uploads(None, str(tmp_path)), audio_dir=str(songs))
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
