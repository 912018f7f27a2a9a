"""The browser without a screen sends what a person's browser would send, and no more."""

from __future__ import annotations

import pytest

from valetkey.demo.story.browser import Browser, NotThere, read_page

PAGE = """
<!doctype html><title> Two  forms </title><style>a { color: red }</style><h1>Hello</h1><p>one<br>two
<form action="/first" method="post">
  <input type="hidden" name="csrf" value="c&amp;1"><input name="login">
  <input type="checkbox" name="box" value="a" checked>
  <input type="checkbox" name="box" value="b"><input name="off" value="x" disabled>
  <select name="size"><option value="s">Small</option><option value="m" selected>Middle</option></select>
  <textarea name="text"></textarea>
  <button name="decision" value="no">Refuse</button><button name="decision" value="yes">Allow <b>it</b></button>
  <button type="button">Nothing</button>
</form>
<a href="/there">Over <i>there</i></a><pre><code>secret
line</code></pre><script>var hidden = "Hidden"</script>
"""


def test_a_page_is_read_as_a_person_reads_it() -> None:
    page = read_page("http://localhost/a", 200, PAGE)

    assert page.title == "Two forms"
    assert page.has("hello one two")
    assert not page.has("Hidden")
    assert page.link("over there") == "/there"
    assert page.codes == ["secret\nline"]


def test_a_form_holds_what_would_be_sent_untouched() -> None:
    form = read_page("http://localhost/a", 200, PAGE).form_with(button="Allow it")

    assert sorted(form.fields) == [("box", "a"), ("csrf", "c&1"), ("login", ""), ("size", "m"), ("text", "")]
    assert [button.text for button in form.buttons] == ["Refuse", "Allow it"]


def test_what_is_not_on_the_page_cannot_be_clicked() -> None:
    browser = Browser()
    browser.page = read_page("http://localhost/a", 200, PAGE)

    with pytest.raises(NotThere, match="no link"):
        browser.page.link("elsewhere")
    with pytest.raises(NotThere, match="no form with 'Nothing'"):
        browser.press("Nothing")
    with pytest.raises(NotThere, match="no field 'password'"):
        browser.press("Refuse", {"password": "x"})
    browser.close()


def test_a_page_that_moves_on_says_where_to() -> None:
    page = read_page("http://localhost/a", 200, '<meta http-equiv="refresh" content="0;url=http://x/?a=1&amp;b=2">')

    assert page.moves_on_to == "http://x/?a=1&b=2"
