// Loaded on pages with sliders, between RequireJS and the widget manager.

// The widget manager asks for its fonts beside itself, not beside the page; and for anywidget, which runs explorables.
const vendored = document.documentElement.dataset.content_root + "third-party/";
require.config({
  paths: {
    "@jupyter-widgets/html-manager/dist": vendored + "html-manager",
    anywidget: vendored + "anywidget/index",
  },
});

// Widgets typeset their labels through MathJax 2's queue: hand such calls to MathJax 3.
document.addEventListener("DOMContentLoaded", () => {
  window.MathJax = window.MathJax || {};
  MathJax.Hub = {
    Queue: ([, , element]) => MathJax.startup?.promise?.then(() => MathJax.typesetPromise([element])),
  };
});

// A slider's handle has no accessible name, and its value is announced as a bare position: take both from
// the label and the readout that stand beside it.
function nameSliders() {
  for (const handle of document.querySelectorAll(".widget-slider .noUi-handle")) {
    const slider = handle.closest(".widget-slider");
    const label = slider.querySelector(".widget-label")?.textContent;
    const readout = slider.querySelector(".widget-readout");
    if (label && handle.getAttribute("aria-label") !== label) {
      handle.setAttribute("aria-label", label);
    }
    if (readout && handle.getAttribute("aria-valuetext") !== readout.textContent) {
      handle.setAttribute("aria-valuetext", readout.textContent);
    }
    // A selection is made with the handle: the readout looks editable but takes no text.
    readout?.removeAttribute("contenteditable");
  }
}

document.addEventListener("DOMContentLoaded", () => {
  new MutationObserver(nameSliders).observe(document.body, {
    childList: true,
    subtree: true,
    characterData: true,
    attributeFilter: ["aria-valuetext"],
  });
});
