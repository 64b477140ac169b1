/* Ticking rows, and texts that are fetched on demand. Everything works without it. */
"use strict";
(function () {
  function ready(start) {
    if (document.readyState === "loading") {
      document.addEventListener("DOMContentLoaded", start);
    } else {
      start();
    }
  }

  function tickRows() {
    const form = document.getElementById("changelist-form");
    const said = form && form.querySelector(".job-ticked");
    if (!said) {
      return;
    }
    const boxes = Array.from(form.querySelectorAll("input.action-select"));
    const every = document.getElementById("action-toggle");
    const all = form.querySelector("input[name=select_across]");
    const buttons = form.querySelectorAll("button[name=action]");
    let last = null;

    function show() {
      const ticked = boxes.filter((box) => box.checked).length;
      said.textContent = ticked === 1 ? "1 ticked job" : ticked + " ticked jobs";
      said.classList.toggle("job-ignored", all.checked);
      every.checked = ticked > 0 && ticked === boxes.length;
      every.indeterminate = ticked > 0 && ticked < boxes.length;
      buttons.forEach((button) => {
        button.disabled = ticked === 0 && !all.checked;
      });
    }

    every.addEventListener("change", () => {
      boxes.forEach((box) => {
        box.checked = every.checked;
      });
      show();
    });
    boxes.forEach((box, place) => {
      box.addEventListener("click", (event) => {
        if (event.shiftKey && last !== null) {
          const [from, to] = [Math.min(last, place), Math.max(last, place)];
          boxes.slice(from, to + 1).forEach((between) => {
            between.checked = box.checked;
          });
        }
        last = place;
        show();
      });
    });
    all.addEventListener("change", show);
    window.addEventListener("pageshow", show);
    show();
  }

  function fetchTexts() {
    document.querySelectorAll("a.job-fetch").forEach((link) => {
      link.addEventListener("click", async (event) => {
        event.preventDefault();
        const into = document.getElementById(link.dataset.into);
        into.hidden = false;
        into.textContent = "…";
        try {
          const answer = await fetch(link.href, { headers: { Accept: "text/plain" } });
          const isText = (answer.headers.get("Content-Type") || "").startsWith("text/plain");
          into.textContent = isText
            ? await answer.text()
            : "It could not be read (" + answer.status + ").";
        } catch (error) {
          into.textContent = "It could not be read: " + error.message;
        }
        into.scrollTop = into.scrollHeight;
      });
    });
  }

  ready(tickRows);
  ready(fetchTexts);
})();
