"""Widgets that compute in the reader's browser, one module each: on the static page as in a notebook.

Each is an `anywidget` class whose script is `scripts/<module>.js` after the shared files that it imports: `core.js`
(mathematics), `page.js` (controls), `charts.js` (planes, bars, curves), and where its own mathematics is long
`<module>.core.js`. Import one from its own module, for example
`from pcltut.explorables.crowd import Crowd`: a chapter then depends on its own explorable alone.
"""
