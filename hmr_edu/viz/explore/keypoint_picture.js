// A picture on which keypoints are placed, by mouse, finger and keys; with names for screen readers.

const SVG = 'http://www.w3.org/2000/svg';
const STYLE = `
.keypoint-picture .stage { position: relative; max-width: 100%; user-select: none; }
.keypoint-picture .stage > * { position: absolute; inset: 0; width: 100%; height: 100%; }
.keypoint-picture canvas { opacity: 0.5; pointer-events: none; }
.keypoint-picture svg { touch-action: none; cursor: crosshair; overflow: hidden; }
.keypoint-picture svg:focus-visible { outline: 3px solid #005fcc; outline-offset: -3px; }
.keypoint-picture g { outline: none; cursor: grab; }
.keypoint-picture .halo, .keypoint-picture .ring { fill: none; stroke: none; }
.keypoint-picture .chosen .halo { stroke: #ffffff; }
.keypoint-picture .chosen .ring { stroke: #1b1f24; }
.keypoint-picture g:focus-visible .ring { stroke: #005fcc; }
.keypoint-picture label { display: block; margin-top: 6px; }
.keypoint-picture select { margin-left: 0.5em; }
`;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STILL = 3; // pixels of the page that a mouse may move during a click

function make(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

// A person's left is on the picture's right, if they face us.
function said(name) {
  const side = name.split(' ')[0];
  return ['left', 'right'].includes(side) ? `${name} (the person's own ${side})` : name;
}

function numbers(view, Type) {
  return new Type(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

// Actions go to Python in order. Of a drag's places only the newest waits until Python has answered.
function messenger(model) {
  const me = Math.random().toString(36).slice(2);
  let sent = 0, answered = 0, waiting = null;
  const send = (action) => model.send({ ...action, number: [me, ++sent] });
  const flush = () => {
    if (waiting) send(waiting);
    waiting = null;
  };
  const quiet = () => answered >= sent && !waiting;
  return {
    quiet,
    post(action) {
      flush();
      send(action);
    },
    drag(action) {
      waiting = action;
      if (answered >= sent) flush();
    },
    flush,
    hear(number) {
      if (number?.[0] === me) answered = number[1];
      if (answered >= sent) flush();
    },
  };
}

// The body's outline: the triangles that face us, as one shape; the others would cancel them.
function fill(canvas, outline, faces, { width, height, scale, body }) {
  const zoom = scale * Math.min(devicePixelRatio || 1, 2);
  canvas.width = Math.max(1, Math.round(width * zoom));
  canvas.height = Math.max(1, Math.round(height * zoom));
  if (!outline.length) return;
  const context = canvas.getContext('2d');
  const points = outline.map((value) => (value + 0.5) * zoom);
  context.fillStyle = body;
  context.beginPath();
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [2 * faces[f], 2 * faces[f + 1], 2 * faces[f + 2]];
    const [x, y] = [points[a], points[a + 1]];
    const area = (points[b] - x) * (points[c + 1] - y) - (points[c] - x) * (points[b + 1] - y);
    if (area <= 0) continue;
    context.moveTo(x, y);
    context.lineTo(points[b], points[b + 1]);
    context.lineTo(points[c], points[c + 1]);
  }
  context.fill();
}

// The drawing: what is shown where, given the keypoints.
function drawing(stage, { width, height, scale, names, colours, edges }) {
  const unit = 1 / scale; // pixels of the picture for one of the page
  // Pixels are counted from 0 at their centres.
  const svg = make('svg', {
    viewBox: `-0.5 -0.5 ${width} ${height}`, tabindex: 0, role: 'application',
    'data-lm-suppress-shortcuts': 'true', // else JupyterLab takes the keys
  }, stage);
  const under = make('g', { 'pointer-events': 'none', 'stroke-linecap': 'round' }, svg);
  const lines = [['#ffffff', 5], [null, 3]].map(([casing, wide]) => edges.map(([, , colour]) =>
    make('line', { stroke: casing ?? colour, 'stroke-width': wide * unit }, under)));
  const guesses = names.map((_, n) => make('circle', {
    fill: '#ffffff', 'fill-opacity': 0.4, stroke: colours[n], 'stroke-width': 2 * unit,
    'stroke-dasharray': `${2.5 * unit} ${2 * unit}`,
  }, under));
  const dots = names.map((_, n) => {
    const dot = make('g', { tabindex: 0, role: 'button', 'data-keypoint': n }, svg);
    make('circle', { r: 11 * unit, fill: 'transparent' }, dot); // easier to hit
    make('circle', { class: 'halo', r: 9 * unit, 'stroke-width': 5 * unit }, dot);
    make('circle', { class: 'ring', r: 9 * unit, 'stroke-width': 2.5 * unit }, dot);
    make('circle', { r: 5.5 * unit, fill: '#ffffff' }, dot);
    make('circle', { class: 'dot', r: 4.5 * unit, fill: colours[n] }, dot);
    return dot;
  });
  const show = (element, shown) => { element.style.display = shown ? '' : 'none'; };
  return {
    svg,
    dots,
    draw(view, places, guess) {
      dots.forEach((dot, n) => {
        show(dot, places[n]);
        if (!places[n]) return;
        const [x, y] = places[n];
        dot.setAttribute('transform', `translate(${x} ${y})`);
        dot.setAttribute('aria-label', `${said(names[n])}: ${Math.round(x)}, ${Math.round(y)}`);
        dot.classList.toggle('chosen', n === view.chosen);
        dot.querySelector('.dot').setAttribute('fill-opacity', 0.3 + 0.7 * view.confidence[n]);
      });
      edges.forEach(([a, b], e) => {
        for (const line of [lines[0][e], lines[1][e]]) {
          show(line, places[a] && places[b]);
          if (!places[a] || !places[b]) continue;
          [['x1', a, 0], ['y1', a, 1], ['x2', b, 0], ['y2', b, 1]].forEach(([key, n, axis]) =>
            line.setAttribute(key, places[n][axis]));
        }
      });
      guesses.forEach((circle, n) => {
        show(circle, !places[n] && guess[n]);
        if (!guess[n]) return;
        circle.setAttribute('cx', guess[n][0]);
        circle.setAttribute('cy', guess[n][1]);
        circle.setAttribute('r', (n === view.next ? 8 : 4) * unit);
      });
      svg.setAttribute('aria-label', view.next === null
        ? 'The picture. All keypoints are placed.'
        : `The picture. Next: ${said(names[view.next])}; click, or press Enter.`);
    },
  };
}

function render({ model, el }) {
  const setting = model.get('setting');
  const { width, height, scale, names } = setting;
  const faces = numbers(model.get('faces'), Uint32Array);
  const talk = messenger(model);
  let view = model.get('view'), held = null, gestures = 0, asked = false;

  el.classList.add('keypoint-picture');
  el.innerHTML = `<style>${STYLE}</style>
    <div class="stage"><img alt="" draggable="false"><canvas aria-hidden="true"></canvas></div>
    <label>keypoint<select></select></label>`;
  const stage = el.querySelector('.stage'), menu = el.querySelector('select');
  stage.style.width = `${width * scale}px`;
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.querySelector('img').src = model.get('picture');
  names.forEach((name, n) => menu.add(new Option(name, n)));
  const { svg, dots, draw } = drawing(stage, setting);

  function show() {
    const places = [...view.places];
    if (held?.moved && held.index !== null) places[held.index] = held.place;
    draw(view, places, model.get('guess'));
    menu.value = view.chosen;
    names.forEach((name, n) => {
      menu.options[n].textContent = `${places[n] ? '\u25cf' : '\u25cb'} ${said(name)}`;
    });
  }
  function answer() {
    view = model.get('view');
    talk.hear(view.answered);
    if (talk.quiet() && !held?.down) held = null;
    const focused = svg.contains(document.activeElement) ? document.activeElement : null;
    show();
    if (!focused || held || !talk.quiet()) return;
    // Keys go to the chosen keypoint.
    const target = view.places[view.chosen] ? dots[view.chosen] : svg;
    if (target !== focused) target.focus({ preventScroll: true });
  }
  function body() {
    if (!asked) {
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        fill(stage.querySelector('canvas'), numbers(model.get('outline'), Float32Array), faces, setting);
        show();
      });
    }
  }
  function place(event) {
    const box = svg.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * width - 0.5,
      ((event.clientY - box.top) / box.height) * height - 0.5,
    ].map((value, axis) => Math.min(Math.max(value, -0.5), setting[['width', 'height'][axis]] - 0.5));
  }

  svg.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || held?.down) return;
    const hit = event.target.closest('[data-keypoint]');
    const [x, y] = place(event), gesture = `${Math.random()}/${++gestures}`;
    const index = hit ? Number(hit.dataset.keypoint) : null;
    // A placed keypoint is grabbed where it was touched, so that it does not jump.
    const [px, py] = hit ? view.places[index] : [x, y];
    held = {
      index: hit ? index : talk.quiet() ? view.next : null, fresh: !hit, gesture, down: true,
      moved: false, offset: [px - x, py - y], start: [event.clientX, event.clientY], place: [px, py],
    };
    svg.setPointerCapture(event.pointerId);
    if (hit) hit.focus({ preventScroll: true });
    else {
      svg.focus({ preventScroll: true });
      talk.post({ do: 'place', x, y, gesture });
    }
  });
  svg.addEventListener('pointermove', (event) => {
    if (!held?.down) return;
    const [dx, dy] = [event.clientX - held.start[0], event.clientY - held.start[1]];
    if (!held.moved && Math.hypot(dx, dy) < STILL) return;
    const [x, y] = place(event).map((value, axis) => value + held.offset[axis]);
    Object.assign(held, { moved: true, place: [x, y] });
    talk.drag({ do: 'drag', index: held.fresh ? null : held.index, x, y, gesture: held.gesture });
    show();
  });
  const release = () => {
    if (held) held.down = false;
    talk.flush();
    if (talk.quiet()) answer();
  };
  svg.addEventListener('pointerup', release);
  svg.addEventListener('pointercancel', release);
  svg.addEventListener('contextmenu', (event) => {
    const hit = event.target.closest('[data-keypoint]');
    if (!hit) return;
    event.preventDefault();
    event.stopPropagation();
    talk.post({ do: 'remove', index: Number(hit.dataset.keypoint) });
  });
  dots.forEach((dot, n) => dot.addEventListener('focus', () => {
    if (n !== view.chosen || !talk.quiet()) talk.post({ do: 'choose', index: n });
  }));
  menu.addEventListener('change', () => talk.post({ do: 'choose', index: Number(menu.value) }));
  svg.addEventListener('keydown', (event) => {
    const action = meaning(event);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    talk.post(action);
  });
  function meaning(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.altKey) return null;
    if (event.ctrlKey || event.metaKey) {
      if (key === 'z') return { do: event.shiftKey ? 'redo' : 'undo' };
      return key === 'y' ? { do: 'redo' } : null;
    }
    if (ARROWS[key]) {
      const [x, y] = ARROWS[key].map((step) => step * (event.shiftKey ? 10 : 1));
      return { do: 'nudge', x, y };
    }
    if (key === 'Enter' && view.next !== null) {
      const [x, y] = model.get('guess')[view.next] ?? [width / 2, height / 2];
      return { do: 'place', x, y };
    }
    const names = { Delete: 'remove', Backspace: 'remove', u: 'undo', r: 'redo', s: 'skip' };
    if (names[key]) return { do: names[key] };
    return { n: { do: 'step', by: 1 }, p: { do: 'step', by: -1 } }[key] ?? null;
  }

  const listeners = { 'change:view': answer, 'change:outline': body, 'change:guess': body };
  for (const [name, listener] of Object.entries(listeners)) model.on(name, listener);
  show();
  body();
  return () => {
    for (const [name, listener] of Object.entries(listeners)) model.off(name, listener);
  };
}

export default { render };
