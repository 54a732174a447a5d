// Loaded on pages with explorables, between RequireJS and the widget manager.

// The widget manager asks for its fonts beside itself, not beside the page; and for anywidget, which runs explorables.
const vendored = document.documentElement.dataset.content_root + "third-party/";
require.config({
  paths: {
    "@jupyter-widgets/html-manager/dist": vendored + "html-manager",
    anywidget: vendored + "anywidget/index",
  },
});
