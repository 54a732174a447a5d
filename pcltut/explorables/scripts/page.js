// What every explorable needs of a page: controls, a drawing that follows the theme, a loop, a spoken sentence.

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

let count = 0;
const own = Math.random().toString(36).slice(2, 8); // this file is in every explorable of a page
const newId = () => `pcltut-${own}-${++count}`;

export class Explorable {
  // The frame of an explorable: drawings above, controls, the sentence that says what is seen, the caption.
  constructor({ model, el }) {
    this.model = model;
    this.undo = [];
    this.canvases = [];
    this.drawings = element("div", { class: "drawings" });
    this.controls = element("div", { class: "settings" });
    this.sentence = element("p", { class: "sentence", "aria-live": "polite" });
    this.caption = element("figcaption", {}, model.get("caption"));
    const parts = [this.drawings, this.controls, this.sentence, this.caption];
    el.append((this.figure = element("figure", { class: "pcltut-explorable" }, ...parts)));
  }

  // --- The finding: words for readers, numbers for Python and tests. ---

  say(words, values = {}) {
    // At most once a second is the sentence changed, so that a screen reader can follow; the last one always comes.
    this.figure.dataset.values = JSON.stringify(values);
    this.latest = { words, values };
    this.waiting ??= setTimeout(() => {
      this.waiting = undefined;
      if (this.sentence.textContent !== this.latest.words) this.sentence.textContent = this.latest.words;
      this.set("values", this.latest.values);
      this.spoken = performance.now();
    }, Math.max(0, 1000 - (performance.now() - (this.spoken ?? -1000))));
  }

  // --- Controls: each is bound to a trait of the same name, so that Python can set and read it. ---

  slider(trait, { label, min, max, step = 1, logarithmic = false, format = String, change }) {
    // A logarithmic slider moves the exponent of 10 in steps of `step`.
    const [to, from] = logarithmic ? [Math.log10, (value) => Number((10 ** value).toPrecision(6))] : [Number, Number];
    const id = newId();
    const output = element("output", { for: id });
    const input = element("input", { id, type: "range", min: to(min), max: to(max), step, "data-trait": trait });
    const show = () => {
      const value = this.model.get(trait);
      if (Math.abs(from(input.value) - value) > 1e-9) input.value = to(value);
      output.textContent = format(value);
      input.setAttribute("aria-valuetext", format(value));
    };
    input.addEventListener("input", () => this.set(trait, from(input.value)));
    this.watch(trait, () => (show(), change?.()));
    this.controls.append(element("div", { class: "control" }, element("label", { for: id }, label), input, output));
    show();
  }

  choice(trait, { label, options, change }) {
    // options: pairs of a trait's value and the words for it.
    const id = newId();
    const select = element("select", { id, "data-trait": trait });
    for (const [value, words] of options) select.append(element("option", { value: String(value) }, words));
    const show = () => (select.value = String(this.model.get(trait)));
    select.addEventListener("change", () => this.set(trait, options[select.selectedIndex][0]));
    this.watch(trait, () => (show(), change?.()));
    this.controls.append(element("div", { class: "control" }, element("label", { for: id }, label), select));
    show();
  }

  button(words, press) {
    this.row ??= this.controls.appendChild(element("div", { class: "buttons" }));
    return this.row.appendChild(element("button", { type: "button", onclick: press }, words));
  }

  set(trait, value) {
    this.model.set(trait, value);
    this.model.save_changes();
  }

  watch(trait, handler) {
    this.model.on(`change:${trait}`, handler);
    this.undo.push(() => this.model.off(`change:${trait}`, handler));
  }

  // --- Drawing: a canvas in units of its own, drawn again when its size or the theme changes. ---

  canvas({ label, width, height, draw, keys, parent = this.drawings }) {
    // `draw(context, colors)` draws in a box of width x height; `keys` makes it take focus and the arrow keys.
    const node = element("canvas", { role: keys ? "application" : "img", "aria-label": label });
    const flex = `1 1 ${Math.round(0.85 * width)}px`; // side by side where there is room for most of each
    Object.assign(node.style, { aspectRatio: `${width} / ${height}`, maxWidth: `${width}px`, flex });
    if (keys) {
      node.tabIndex = 0;
      node.addEventListener("keydown", (event) => {
        const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
        if (!(event.key in moves)) return;
        event.preventDefault();
        keys(...moves[event.key], event.shiftKey);
      });
    }
    parent.append(node);
    let planned;
    const now = () => {
      planned = undefined;
      const ratio = (node.clientWidth / width) * (globalThis.devicePixelRatio || 1);
      if (!ratio) return;
      const size = [Math.round(width * ratio), Math.round(height * ratio)];
      if (node.width !== size[0] || node.height !== size[1]) [node.width, node.height] = size;
      const context = node.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, height);
      draw(context, this.colors());
    };
    const redraw = () => (planned ??= requestAnimationFrame(now));
    const resized = new ResizeObserver(redraw);
    resized.observe(node);
    const themed = new MutationObserver(redraw);
    themed.observe(document.documentElement, { attributeFilter: ["data-theme", "data-mode", "class"] });
    this.undo.push(() => (resized.disconnect(), themed.disconnect(), cancelAnimationFrame(planned)));
    const place = (event) => {
      const box = node.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
    };
    const canvas = { node, redraw, place };
    this.canvases.push(canvas);
    return canvas;
  }

  redraw() {
    this.canvases.forEach((canvas) => canvas.redraw());
  }

  drag(canvas, move) {
    // Calls `move(x, y)`, in the canvas's units, where a pointer presses and drags.
    canvas.node.style.touchAction = "none";
    canvas.node.addEventListener("pointerdown", (event) => {
      canvas.node.setPointerCapture(event.pointerId);
      move(...canvas.place(event));
    });
    canvas.node.addEventListener("pointermove", (event) => event.buttons && move(...canvas.place(event)));
  }

  colors() {
    // Those of the theme, and a palette that holds for the color-blind, in light and in dark (page.css).
    const style = getComputedStyle(this.figure);
    const names = ["text", "muted", "line", "ground", "blue", "vermillion", "green", "yellow"];
    return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--pcltut-${name}`).trim()]));
  }

  // --- Motion: on a reader's word, or from the start where motion is welcome; never out of sight. ---

  loop(step, { start = true } = {}) {
    // Calls `step()` each frame while it runs. The button is the reader's pause.
    let [running, visible, frame] = [start && !reducedMotion(), false, undefined];
    const button = this.button("", () => toggle(!running));
    const tick = () => {
      frame = undefined;
      if (!running || !visible) return;
      step();
      frame = requestAnimationFrame(tick);
    };
    const wake = () => (frame ??= requestAnimationFrame(tick));
    const toggle = (on) => {
      running = on;
      button.textContent = running ? "Pause" : "Run";
      wake();
    };
    const seen = new IntersectionObserver(([entry]) => ((visible = entry.isIntersecting), wake()));
    seen.observe(this.figure);
    this.undo.push(() => (seen.disconnect(), cancelAnimationFrame(frame)));
    toggle(running);
    return toggle;
  }

  // What anywidget calls when the widget is taken from the page.
  cleanup() {
    return () => (clearTimeout(this.waiting), this.undo.forEach((undo) => undo()), this.figure.remove());
  }
}

// --- Pieces of drawings. ---

export function drawImage(context, pixels, x, y, size, shown = pixels.length, side = 28) {
  // Gray pixels in [-1, 1], row by row, into a square; those after `shown` are hatched as unknown.
  const image = new ImageData(side, side);
  pixels.forEach((value, i) => {
    const hatch = (i + Math.floor(i / side)) % 4 < 2 ? 120 : 150;
    const gray = i >= shown ? hatch : 127.5 * (1 + Math.max(-1, Math.min(1, value)));
    image.data.set([gray, gray, gray, 255], 4 * i);
  });
  const buffer = new OffscreenCanvas(side, side);
  buffer.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(buffer, x, y, size, size);
}

export function heatMap(context, values, columns, x, y, width, height, color, opacity) {
  // One rectangle a value, row by row from the top, in a color of the palette, #rrggbb; opacity(value) in [0, 1].
  const image = new ImageData(columns, values.length / columns);
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  values.forEach((value, i) => image.data.set([red, green, blue, 255 * opacity(value)], 4 * i));
  const buffer = new OffscreenCanvas(image.width, image.height);
  buffer.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(buffer, x, y, width, height);
}

export function stroke(context, points, color, width = 2, dash = []) {
  // A line through the points.
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
  [context.strokeStyle, context.lineWidth] = [color, width];
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
}

export function dot2(context, x, y, radius, color, outline) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = color;
  context.fill();
  if (outline) {
    [context.strokeStyle, context.lineWidth] = [outline, 2];
    context.stroke();
  }
}

export function text(context, words, x, y, color, { size = 13, align = "left", weight = "", halo } = {}) {
  // `halo` is a color around the letters, for words on top of a drawing.
  context.font = `${weight} ${size}px system-ui, sans-serif`;
  context.textAlign = align;
  if (halo) {
    [context.strokeStyle, context.lineWidth, context.lineJoin] = [halo, 4, "round"];
    context.strokeText(words, x, y);
  }
  context.fillStyle = color;
  context.fillText(words, x, y);
}

export const percent = (share) => `${Math.round(100 * share)} %`;
