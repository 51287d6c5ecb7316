// Loads plotly once a page, and takes the time that it needs. plotly's own widget brings its five
// megabytes of script with every figure, and anywidget gives up on a script after two seconds:
// on a busy machine, such a figure stays empty, or as it is, whatever is moved.
function load(script) {
  const blob = new Blob([script], { type: 'text/javascript' });
  return import(URL.createObjectURL(blob));
}

export default {
  async render({ model, el }) {
    globalThis.plotlyOfExplorers ??= load(model.get('_plotly'));
    const figure = (await globalThis.plotlyOfExplorers).default();
    figure.initialize({ model });
    return figure.render({ el });
  },
};
