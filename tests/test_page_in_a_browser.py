"""The page in headless Chromium with the network cut off, as it is used: by mouse, by keyboard, on a phone."""

import os
import urllib.error
import urllib.request

import pytest

from tests.fixtures.browser import browser as browser
from tests.fixtures.page import SONGS, track_id, untrained_run, write_index, write_songs
from tfmir.searching.index import open_index
from tfmir.serving.page.app import build_app
from tfmir.serving.page.catalogue import Catalogue
from tfmir.serving.page.current import Shown
from tfmir.serving.page.embedders import RunEmbedder
from tfmir.serving.page.server import running
from tfmir.serving.page.uploads import Uploads

ROWS = "[...document.querySelectorAll('.hit')].map(hit => Number(hit.dataset.row))"
PLAYING = "[...document.querySelectorAll('.player.playing .play')].map(play => play.getAttribute('aria-label')).join()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the songs, the run and its index are."""
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def page(browser, folder):
    """Address of the page over a real index, a run that hears uploads, and the songs."""
    write_songs(folder / "songs")
    run = untrained_run(str(folder / "run"))
    index = open_index(write_index(folder, folder / "songs", run))
    (folder / "uploads").mkdir()
    embedder = RunEmbedder(run, index=str(index.folder), weights_sha256=index.weights_sha256)
    uploads = Uploads(embedder, str(folder / "uploads"))
    shown = Shown(Catalogue(index), str(folder / "songs"))
    app = build_app(
        shown.catalogue,
        uploads,
        audio_dir=shown.audio_dir,
        reopen=lambda: Shown(Catalogue(open_index(str(index.folder))), shown.audio_dir),
    )
    with running(app) as address:
        yield address
    assert not list((folder / "uploads").iterdir())


@pytest.fixture
def opened(browser, page):
    """The page at a state, when its hits are there; nothing went wrong in it, and nothing was asked of another host."""

    def open_at(state="like=songs/00.wav"):
        browser.open(f"{page}#{state}")
        browser.wait("document.querySelectorAll('.hit').length")
        return browser

    browser.size(1280, 800)
    yield open_at
    assert not browser.said


def first_rows(browser, rows):
    browser.wait(f"{ROWS}.slice(0, {len(rows)}).join() === '{','.join(map(str, rows))}'")


def test_a_slider_that_moves_changes_the_order_and_the_address(opened):
    """Of genre alone the next are 1, 2, 3; of mood alone 33, 26, 19 (see `tests/fixtures/page.py`)."""
    browser = opened("like=songs/00.wav&weights=genre=1")
    first_rows(browser, [1, 2, 3])
    browser.js("document.getElementById('weight-genre').focus()")
    browser.press("ArrowLeft", 3)
    assert browser.js("document.getElementById('weight-genre').getAttribute('aria-valuetext')") == "85 percent"
    browser.js("document.getElementById('weight-mood').focus()")
    browser.press("ArrowRight", 20)
    browser.wait("location.hash === '#like=songs/00.wav&weights=genre=0.85,mood=1'")
    browser.wait(f"{ROWS}[0] !== 1")
    browser.click("[aria-label='Only mood']")
    first_rows(browser, [33, 26, 19])
    assert browser.js("document.querySelector('.hit .why').textContent") == "genre0.41 (does not count)mood1.00"
    browser.js("history.back()")
    browser.wait("location.hash === '#like=songs/00.wav&weights=genre=0.85,mood=1'")
    browser.wait(f"{ROWS}[0] !== 33")


def test_while_a_slider_is_dragged_the_list_follows_and_stale_answers_are_dropped(opened):
    browser = opened("like=songs/00.wav&weights=genre=1")
    x, y, width, height = browser.box("#weight-mood")
    left, right, y = x + 9, x + width - 9, y + height / 2  # the middle of its knob at 0 and at 100
    browser.mouse("mousePressed", left, y)
    for step in range(1, 11):
        browser.mouse("mouseMoved", left + (right - left) * step / 10, y)
    browser.wait(f"{ROWS}[0] !== 1")  # before the button is released
    assert browser.js("location.hash") == "#like=songs/00.wav&weights=genre=1"
    browser.mouse("mouseReleased", right, y)
    browser.wait("location.hash === '#like=songs/00.wav'")  # all at 100 is as usual


def test_a_copied_address_restores_song_weights_filters_and_map(opened):
    state = "like=songs/00.wav&weights=genre=0.5&tag=genre/jazz&diverse=1&top=40&map=genre&colour=mood"
    browser = opened(state)
    first_rows(browser, [20, 21, 22])
    assert browser.js("document.getElementById('weight-mood').value") == "0"
    assert browser.js("document.getElementById('diverse').checked") is True
    assert browser.js("document.getElementById('colour').value") == "mood"
    assert browser.js("document.querySelector('#spaces :checked').value") == "genre"
    assert browser.js("document.getElementById('chosen').innerText.trim()") == "jazz ×"
    assert browser.js(f"{ROWS}.length") == 8  # one of each artist
    assert browser.js("location.hash") == f"#{state}"
    browser.click("#chosen button")
    browser.wait("!location.hash.includes('tag=')")


def test_an_index_that_was_made_anew_loads_the_page_again_as_it_was(opened, folder):
    browser = opened("like=songs/00.wav&weights=genre=1")
    first_rows(browser, [1, 2, 3])
    browser.js("window.before = true")
    os.utime(folder / "index/index.json")
    browser.click("[aria-label='Only mood']")
    browser.wait("window.before === undefined && document.querySelectorAll('.hit').length")
    first_rows(browser, [33, 26, 19])
    assert browser.js("location.hash") == "#like=songs/00.wav&weights=mood=1"
    browser.click(".hit[data-row='33'] .play")
    browser.wait(f"{PLAYING} === 'Pause 33'")


def test_names_are_text_whatever_they_hold(opened):
    browser = opened("like=songs/00.wav&weights=genre=1")
    first_rows(browser, [1, 2, 3, 4, 5, 6, 7])
    titles = browser.js("[...document.querySelectorAll('.hit h3')].map(title => title.textContent)")
    assert titles[2:7] == ["<img src=x onerror=alert(1)>", "$HOME `id` _b_", "=HYPERLINK(1)", "Été 🎷", r"two\nlines"]
    assert browser.js("document.querySelectorAll('main img').length") == 0
    browser.click(".hit[data-row='7'] .more")
    browser.wait("document.querySelector('#query h2')?.textContent.includes('lines')")
    assert browser.js("decodeURIComponent(location.hash).includes('two\\nlines')")


def test_true_and_predicted_tags_are_told_apart_by_eye_and_by_ear(opened):
    browser = opened("like=songs/00.wav&weights=genre=1")
    assert browser.js("document.querySelector('#query .tags').textContent") == "genre: rockpredicted mood: wild 80 %"
    style = "getComputedStyle(document.querySelector('#query .tag{}')).borderTopStyle"
    assert browser.js(style.format("")) == "solid"
    assert browser.js(style.format(".predicted")) == "dashed"
    browser.click("#query button.tag")
    browser.wait("location.hash.includes('tag=genre/rock')")


def test_the_songs_of_one_artist_alone(opened):
    """Artist 1 has every eighth song from the first on."""
    browser = opened("like=songs/00.wav&weights=genre=1")
    browser.click(".hit[data-row='1'] .byline button")
    first_rows(browser, [1, 9, 17, 25, 33])
    assert browser.js("location.hash").endswith("&artist=Artist+1")
    assert browser.js("document.getElementById('chosen').innerText.trim()") == "Artist 1 ×"


def test_a_position_is_chosen_and_the_song_goes_on_from_there(opened):
    browser = opened("like=songs/00.wav&weights=genre=1")
    browser.js("document.querySelector('.hit[data-row=\"1\"] .position').focus()")
    browser.press("ArrowRight", 5)
    browser.wait("document.querySelector('.hit[data-row=\"1\"] .position').value >= 0.5")
    browser.wait(f"{PLAYING} === 'Pause 01'")


def test_all_sliders_at_nothing_are_the_whole_of_the_sound(opened):
    browser = opened("like=songs/00.wav&weights=0")
    assert browser.js("document.getElementById('summary').textContent") == "by the whole of the sound"
    assert not browser.js("document.getElementById('whole-hint').hidden")


def test_a_song_is_found_and_opened_by_keyboard_alone(opened):
    browser = opened()
    browser.js("document.getElementById('finder').focus()")
    browser.type("ete")
    browser.wait("document.querySelectorAll('#found [role=option]').length === 1")
    browser.press("ArrowDown")
    assert browser.js("document.getElementById('finder').getAttribute('aria-activedescendant')") == "found-0"
    browser.press("Enter")
    browser.wait("document.querySelector('#query h2').textContent === 'Été 🎷'")
    assert browser.js("document.activeElement.textContent") == "Été 🎷"
    browser.press("Tab")
    assert browser.js("document.activeElement.getAttribute('aria-label')") == "Play Été 🎷"
    browser.js("document.getElementById('finder').focus()")
    browser.type("zzz")
    browser.wait("document.getElementById('found').textContent === 'No song of this name'")
    browser.press("Escape")
    assert browser.js("document.getElementById('found').hidden")


def test_a_hit_is_played_and_a_second_one_instead(opened):
    browser = opened("like=songs/00.wav&weights=genre=1")
    browser.click(".hit[data-row='1'] .play")
    browser.wait(f"{PLAYING} === 'Pause 01'")
    browser.wait("document.querySelector('.hit[data-row=\"1\"] .clock').textContent === '0:00 / 0:01'")
    browser.click(".hit[data-row='2'] .play")
    browser.wait(f"{PLAYING} === 'Pause 02'")
    browser.wait(f"{PLAYING} === 'Play 02'")  # it lasts a second
    browser.js("document.querySelector('.hit[data-row=\"2\"] .play').focus()")
    browser.press(" ")
    browser.wait(f"{PLAYING} === 'Pause 02'")


def test_the_map_is_played_by_a_click_and_walked_by_keys(opened):
    browser = opened()
    browser.wait("document.getElementById('map').getAttribute('aria-label').includes('40 songs')")
    assert browser.js("document.querySelector('#legend li').textContent") == "rock 30"  # 20 true, 10 predicted
    browser.js("document.getElementById('map').focus()")
    browser.wait("document.getElementById('point').dataset.row === '0'")  # the song that is asked about
    seen = set()
    for key in ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"] * 4:
        browser.press(key)
        browser.js("new Promise(done => setTimeout(done, 15))")
        seen.add(browser.js("document.getElementById('point').dataset.row"))
    assert len(seen) > 3
    browser.press("Enter")
    browser.wait(f"{PLAYING}.startsWith('Pause')")
    row = int(browser.js("document.getElementById('point').dataset.row"))
    browser.press("ArrowRight" if row == 0 else "+")
    browser.press("m")
    browser.wait("location.hash !== '#like=songs/00.wav'")


def test_an_upload_is_heard_its_address_is_whole_and_its_sound_is_played(opened, page, tmp_path):
    song = tmp_path / "my $ong.wav"
    write_songs(tmp_path / "other")
    (tmp_path / "other" / track_id(12)).rename(song)
    browser = opened()
    browser.choose_file("#file", song)
    browser.wait("document.querySelector('#query h2')?.textContent === 'my $ong.wav'", 40)
    browser.wait("document.getElementById('csv').href.includes('vector=')")
    rows, address = browser.js(ROWS), browser.js("location.href")
    browser.click("#query .play")
    browser.wait(f"{PLAYING} === 'Pause my $ong.wav'")
    assert "vector=" in address
    browser.open(address)
    browser.wait("document.querySelectorAll('.hit').length === 20")
    assert browser.js(ROWS) == rows
    assert browser.js("document.querySelector('#query h2').textContent") == "my $ong.wav"


def test_what_is_no_audio_is_said_on_the_page(opened, tmp_path):
    (tmp_path / "notes.txt").write_text("not audio")
    browser = opened()
    browser.choose_file("#file", tmp_path / "notes.txt")
    browser.wait(
        "document.getElementById('trouble').textContent.startsWith('notes.txt: this file cannot be heard')", 20
    )
    browser.said = [line for line in browser.said if "422" not in line]


def test_nothing_is_wider_than_a_phone_and_thumbs_find_the_buttons(opened):
    browser = opened()
    browser.size(360, 740, mobile=True)
    browser.js("document.getElementById('tag-filter').open = true")
    right = "e => e.getBoundingClientRect().right > 360.5"
    assert browser.js(f"[...document.querySelectorAll('body *')].filter({right}).map(e => e.outerHTML)") == []
    assert browser.js("document.documentElement.scrollWidth") == 360
    assert browser.js("document.querySelector('.hit .play').getBoundingClientRect().height") >= 44


def test_evil_paths_asked_from_within_the_page_are_refused(opened, page):
    browser = opened()
    for path in ("audio/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "audio?id=/etc/passwd", "static/..%2fapi.py"):
        assert browser.js(f"fetch('{path}').then(answer => answer.status)") == 404
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(page + path, timeout=10)
    browser.said = [line for line in browser.said if "404" not in line]


def test_there_is_no_network(browser):
    with pytest.raises(AssertionError, match="Failed to fetch"):
        browser.js("fetch('http://example.com/')")


def test_more_songs_and_a_table(opened):
    browser = opened()
    browser.click("#further")
    browser.wait(f"{ROWS}.length === {SONGS - 1}")
    assert browser.js("location.hash").endswith("top=40")
    table = browser.js("fetch(document.getElementById('csv').href).then(answer => answer.text())")
    assert len(table.split("\r\n")) == SONGS + 1
    assert os.path.basename(browser.js("document.getElementById('csv').download")) == "similar.csv"


def test_before_a_song_is_chosen_there_are_some_to_begin_with(browser, page):
    browser.size(1280, 800)
    browser.open(page)
    browser.wait("document.querySelectorAll('#welcome button').length === 6")
    browser.click("#welcome li:nth-child(2) button")
    browser.wait("document.querySelector('#query h2')?.textContent === '01'")
    browser.js("history.back()")
    browser.wait("document.querySelectorAll('#welcome button').length === 6")
    assert not browser.said
