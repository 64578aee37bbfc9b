// After Shift+Enter JupyterLab scrolls the next cell to the middle of the screen, and so what the
// cell has just shown out of it. This scrolls back: so far that all of the output is seen or, where
// there is too much of it, its beginning; until somebody scrolls, clicks or types.
//
// Nobody shall read the answer before the guess: the prose after what a *Predict* asks to guess is
// covered until the code between them has been run. And no text output breaks within a word.
(() => {
  const BACK = { 'notebook:run-cell-and-select-next': 1, 'notebook:run-cell': 0 };
  const LATER = [0, 100, 300, 600, 1200]; // milliseconds after the cell: pictures come a bit later
  let stop = () => {};

  function show(output, scroller) {
    const seen = scroller.getBoundingClientRect();
    const { top, bottom, height } = output.getBoundingClientRect();
    if (!height) return;
    const down = Math.min(bottom - seen.bottom, top - seen.top);
    if (down > 0 || top < seen.top) scroller.scrollTop += top < seen.top ? top - seen.top : down;
  }

  function follow(output, scroller, done) {
    stop();
    const look = () => show(output, scroller);
    const sizes = new ResizeObserver(look);
    const events = ['wheel', 'pointerdown', 'keydown'];
    const timers = [];
    stop = () => {
      sizes.disconnect();
      timers.forEach(clearTimeout);
      events.forEach(event => window.removeEventListener(event, stop, true));
    };
    events.forEach(event => window.addEventListener(event, stop, true));
    sizes.observe(output);
    done.finally(() => {
      LATER.forEach(later => timers.push(setTimeout(look, later)));
      timers.push(setTimeout(stop, LATER.at(-1) + 100));
    });
  }

  const COVERED = 'course-covered';
  const STYLE = `
    .${COVERED} .jp-RenderedHTMLCommon { position: relative; }
    .${COVERED} .jp-RenderedHTMLCommon > * { visibility: hidden; }
    .${COVERED} .jp-RenderedHTMLCommon::before {
      content: 'Guess first: this text shows when the cells above have been run.';
      position: absolute; padding: 0.3em 0; font-style: italic;
      color: var(--jp-ui-font-color2);
    }
    .jp-OutputArea-output.jp-RenderedText pre { word-break: normal; overflow-wrap: anywhere; }
  `;

  function cover(notebook) {
    let asked = false;
    let toRun = false;
    for (const { model, node } of notebook.widgets) {
      if (model.type === 'code') {
        toRun ||= asked && model.executionCount === null;
        continue;
      }
      const text = model.sharedModel.getSource();
      node.classList.toggle(COVERED, toRun && !text.startsWith('#'));
      asked = text.includes('**Predict.**');
      toRun = false;
    }
  }

  function watch(panel) {
    const look = () => !panel.isDisposed && panel.content.model && cover(panel.content);
    panel.context.ready.then(() => {
      look();
      panel.content.model.contentChanged.connect(look);
    });
  }

  const plugin = {
    id: 'course-view:plugin',
    autoStart: true,
    activate: app => {
      const style = document.head.appendChild(document.createElement('style'));
      style.textContent = STYLE;
      const seen = new WeakSet();
      app.shell.currentChanged?.connect((_, { newValue }) => {
        if (newValue?.content?.widgets && newValue.context && !seen.has(newValue)) {
          seen.add(newValue);
          watch(newValue);
        }
      });
      app.commands.commandExecuted.connect((_, { id, result }) => {
        const notebook = app.shell.currentWidget?.content;
        const cell = notebook?.widgets?.[notebook.activeCellIndex - BACK[id]];
        if (cell?.outputArea) follow(cell.outputArea.node, notebook.outerNode, result);
      });
    }
  };

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB['course-view'] = {
    init: () => {},
    get: async () => () => ({ __esModule: true, default: plugin })
  };
})();
