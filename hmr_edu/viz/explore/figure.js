// plotly's widget for an explorer: loaded once a page, and usable without a mouse or without eyes.

// plotly's own widget brings its five megabytes of script with every figure, and anywidget gives up
// on a script after two seconds: on a busy machine, such a figure would stay as it is for ever.
function load(script) {
  const blob = new Blob([script], { type: 'text/javascript' });
  return import(URL.createObjectURL(blob));
}

const PLAYER = ['play or pause', 'stop', 'repeat'];

// Names and roles, which screen readers say. ipywidgets leaves a slider's knob and its number
// without a name; plotly's buttons are shapes that no key reaches.
function name(explorer) {
  const title = explorer.querySelector('strong')?.textContent;
  explorer.setAttribute('role', 'group');
  explorer.setAttribute('aria-label', title);
  const drawing = explorer.querySelector('.gl-container');
  drawing?.setAttribute('role', 'img');
  drawing?.setAttribute('aria-label', `${title}: the drawing`);
  explorer.querySelector('.explorer-readout')?.setAttribute('role', 'status');
  explorer.querySelectorAll('.widget-play button').forEach((button, n) => {
    button.setAttribute('aria-label', PLAYER[n]);
  });
  for (const slider of explorer.querySelectorAll('.widget-slider')) {
    const label = slider.querySelector('.widget-label')?.textContent;
    slider.querySelector('.noUi-handle')?.setAttribute('aria-label', label);
    const number = slider.querySelector('.widget-readout');
    number?.setAttribute('role', 'textbox');
    number?.setAttribute('aria-label', `${label}, as a number`);
  }
  for (const button of explorer.querySelectorAll('.updatemenu-button')) {
    button.setAttribute('role', 'button');
    button.setAttribute('tabindex', '0');
    button.setAttribute('aria-label', `view: ${button.textContent}`);
  }
  // Else Jupyter takes the arrow keys for itself, once a cell was run by Shift+Enter.
  for (const control of explorer.querySelectorAll('[tabindex], button, input, select')) {
    control.setAttribute('data-lm-suppress-shortcuts', 'true');
  }
}

function press(event) {
  const button = event.target.closest('.updatemenu-button');
  if (!button || !['Enter', ' '].includes(event.key)) return;
  event.preventDefault();
  button.dispatchEvent(new MouseEvent('click', { bubbles: true }));
}

export default {
  async render({ model, el, signal }) {
    globalThis.plotlyOfExplorers ??= load(model.get('_plotly'));
    const figure = (await globalThis.plotlyOfExplorers).default();
    // A view is made before it is put on the page.
    while (!el.closest('.explorer')) {
      if (signal.aborted) return;
      await new Promise(requestAnimationFrame);
    }
    const explorer = el.closest('.explorer');
    figure.initialize({ model });
    const remove = figure.render({ el });
    explorer.addEventListener('keydown', press);
    // Sliders may come later, and plotly draws its buttons again.
    const observer = new MutationObserver(() => name(explorer));
    observer.observe(explorer, { childList: true, subtree: true });
    name(explorer);
    return () => {
      observer.disconnect();
      remove();
    };
  },
};
