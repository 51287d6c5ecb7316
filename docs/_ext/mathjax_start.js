// The modules of all chunks, and the loader that they expect.
const modules = {}, loaded = {};
for (const list of Object.values(chunks))
  for (const chunk of list) Object.assign(modules, chunk[1]);
function load(id) {
  if (!loaded[id]) {
    loaded[id] = { exports: {} };
    modules[id].call(loaded[id].exports, loaded[id], loaded[id].exports, load);
  }
  return loaded[id].exports;
}
// What they export, found by name.
function find(name) {
  const made = new RegExp("\\." + name + "=(?!void 0)");
  for (const id of Object.keys(modules))
    if (made.test(modules[id])) {
      const value = load(id)[name];
      if (value !== undefined) return value;
    }
  throw Error("MathJax has no " + name);
}
const mathjax = find("mathjax"), TeX = find("TeX"), CHTML = find("CHTML");
const packages = find("AllPackages"), fontClass = find("TeXFont");
const adaptor = find("browserAdaptor")(), HTMLHandler = find("HTMLHandler");

for (const style of Object.values(fontClass.defaultFonts))
  if (style.src)
    style.src = style.src.replace(/%%URL%%\/([\w-]+\.woff)/, (all, name) => fonts[name] || all);

function typeset() {
  mathjax.handlers.register(new HTMLHandler(adaptor));
  const page = mathjax.document(document, {
    InputJax: new TeX({ packages, inlineMath: [["\\(", "\\)"]], displayMath: [["\\[", "\\]"]] }),
    OutputJax: new CHTML({ fontURL: "" }),
    ignoreHtmlClass: "tex2jax_ignore|mathjax_ignore|document",
    processHtmlClass: "tex2jax_process|mathjax_process|math|output_area",
  });
  page.render();
}
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", typeset);
else typeset();
