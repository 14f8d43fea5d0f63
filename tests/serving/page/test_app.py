"""The page itself: one document, its own files and nothing of anybody else's."""

import re

from tfmir.serving.page.app import STATIC


def test_the_document_and_its_files_are_there_and_typed(page):
    document = page.get("/")
    assert document.headers["content-type"] == "text/html; charset=utf-8"
    names = set(re.findall(r'(?:href|src)="(static/[^"]+)"', document.text))
    assert names == {"static/page.css", "static/main.js", "static/icon.svg"}
    kinds = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
    for path in STATIC.iterdir():
        if path.suffix != ".html":
            answer = page.get(f"/static/{path.name}")
            assert answer.content == path.read_bytes()
            assert answer.headers["content-type"] == kinds[path.suffix]


def test_every_module_that_is_imported_is_there():
    for path in STATIC.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', path.read_text()):
            assert (STATIC / name).is_file(), f"{path.name} imports {name}"


def test_nothing_is_asked_of_another_host_and_no_name_becomes_html():
    for path in STATIC.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z]+\.[a-z]", text), path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|srcdoc", text), path.name


def test_no_script_or_style_stands_in_the_document():
    text = (STATIC / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert re.findall(r"<script[^>]*>(.*?)</script>", text) == [""]


def test_every_field_of_the_document_has_a_label():
    text = (STATIC / "index.html").read_text()
    for field in re.findall(r"<(?:input|select|canvas|textarea)[^>]*>", text):
        name = re.search(r'id="([^"]+)"', field)[1]
        assert "hidden" in field or f'for="{name}"' in text or "aria-label" in field or re.search(
            rf"<label[^>]*>[^<]*<(?:input|select)[^>]*id=\"{name}\"", text
        ), field  # fmt: skip


def test_answers_are_zipped_and_sound_is_not(page):
    assert page.get("/", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
    assert "content-encoding" not in page.get("/audio/0", headers={"Accept-Encoding": "gzip"}).headers
