"""Widgets that compute in the reader's browser, one module each: on the static page as in a notebook.

Each is an `anywidget` class whose script is `scripts/<module>.js` after the two files that all share, `core.js`
(mathematics) and `page.js` (controls and drawing). Import one from its own module, for example
`from pcltut.explorables.crowd import Crowd`: a chapter then depends on its own explorable alone.
"""
