// What a browser adds to pages that work without it: they follow what moves, and choices apply at once.
(() => {
  "use strict";
  const main = () => document.getElementById("main");
  const open = (root) => [...root.querySelectorAll("details[open] > summary")].map((one) => one.textContent);

  // A page that somebody types into, or has marked text on, is left alone until they are through.
  const busy = () => {
    const at = document.activeElement;
    const typing = at && main().contains(at) && at.matches("input, select, textarea");
    return typing || document.hidden || String(getSelection() || "") !== "";
  };

  let due = false;
  async function refresh() {
    due = true;
    if (busy()) return;
    due = false;
    const opened = open(main()), focus = document.activeElement && document.activeElement.id, top = scrollY;
    await htmx.ajax("GET", location.href, { target: "#main", select: "#main", swap: "outerHTML" });
    for (const one of main().querySelectorAll("details > summary"))
      if (opened.includes(one.textContent)) one.parentElement.open = true;
    if (focus && document.getElementById(focus)) document.getElementById(focus).focus({ preventScroll: true });
    scrollTo(0, top);
  }

  if (window.EventSource && main().dataset.live) {
    const source = new EventSource("/live");
    source.addEventListener("moved", refresh);
    if (main().dataset.live === "sync") source.addEventListener("pulling", refresh);
    addEventListener("pagehide", () => source.close());
  }

  // What could not be shown yet is asked for again, as is what came while somebody was typing.
  setInterval(() => { if (due || main().querySelector("[data-pending]")) refresh(); }, 3000);

  // Choices of a form that only asks apply at once; what is typed waits for the button or for Enter.
  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (form && form.method === "get" && event.target.matches("select, input[type=checkbox], input[type=range]"))
      form.requestSubmit();
  });
  document.addEventListener("input", (event) => {
    const said = event.target.type === "range" && event.target.parentElement.querySelector("output");
    if (said) said.value = (event.target.value > 0 ? "+" : "") + event.target.value + " " + said.dataset.unit;
  });
})();
