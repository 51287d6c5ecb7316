// Gives an explorer's parts the names and roles that screen readers say. ipywidgets leaves a
// slider's knob and its number without a name; plotly's buttons are shapes that no key reaches.
const PLAYER = ['play or pause', 'stop', 'repeat'];

function name(explorer, title) {
  explorer.querySelector('.explorer-readout')?.setAttribute('role', 'status');
  const drawing = explorer.querySelector('.gl-container');
  drawing?.setAttribute('role', 'img');
  drawing?.setAttribute('aria-label', `${title}: the drawing`);
  explorer.querySelectorAll('.widget-play button').forEach((button, n) => {
    button.setAttribute('aria-label', PLAYER[n]);
  });
  for (const slider of explorer.querySelectorAll('.widget-slider')) {
    const label = slider.querySelector('.widget-label').textContent;
    slider.querySelector('.noUi-handle').setAttribute('aria-label', label);
    const number = slider.querySelector('.widget-readout');
    number.setAttribute('role', 'textbox');
    number.setAttribute('aria-label', `${label}, as a number`);
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
  render({ model, el }) {
    const title = model.get('title');
    let waiting;
    const observer = new MutationObserver(() => name(el.closest('.explorer'), title));
    const begin = () => {
      const explorer = el.closest('.explorer');
      if (!explorer) {
        waiting = requestAnimationFrame(begin); // it is not on the page yet
        return;
      }
      explorer.setAttribute('role', 'group');
      explorer.setAttribute('aria-label', title);
      explorer.addEventListener('keydown', press);
      // Sliders and figures come later than this widget; plotly may draw its buttons again.
      observer.observe(explorer, { childList: true, subtree: true });
      name(explorer, title);
    };
    begin();
    return () => {
      cancelAnimationFrame(waiting);
      observer.disconnect();
    };
  },
};
