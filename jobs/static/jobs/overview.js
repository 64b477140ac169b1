/* The overview refreshes itself: not while it can't be seen, and without moving what
   somebody reads. It can be refreshed by its link without this script. */
"use strict";
(function () {
  const KEPT = "jobs-overview-every";
  const PATIENCE = 30000; // milliseconds that an answer may take

  function start() {
    const parts = document.getElementById("job-parts");
    const said = document.getElementById("job-refresh-said");
    const now = document.getElementById("job-refresh-now");
    const label = document.getElementById("job-refresh-every");
    const every = label.querySelector("select");
    let timer = null;
    let asking = null;
    let last = Date.now();

    function say(text) {
      if (said.textContent !== text) {
        said.textContent = text;
      }
    }

    function isBeingUsed(part) {
      const selected = document.getSelection();
      return selected && !selected.isCollapsed && part.contains(selected.anchorNode);
    }

    // What has the focus has an id, or is the first of its part with that address.
    function focused(part) {
      const active = document.activeElement;
      if (!active || !part.contains(active)) {
        return null;
      }
      const address = active.getAttribute("href");
      return (fresh) =>
        (active.id && fresh.querySelector("#" + CSS.escape(active.id))) ||
        (address && fresh.querySelector('a[href="' + CSS.escape(address) + '"]')) ||
        (active.tagName === "SUMMARY" && fresh.querySelector("summary"));
    }

    function replace(part, fresh) {
      if (part.outerHTML === fresh.outerHTML || isBeingUsed(part)) {
        return;
      }
      const find = focused(part);
      const scrolled = Array.from(part.querySelectorAll(".job-scrolls[id]")).map(
        (one) => [one.id, one.scrollLeft, one.scrollTop]
      );
      part.querySelectorAll("details[id]").forEach((one) => {
        const same = fresh.querySelector("#" + one.id);
        if (same) {
          same.open = one.open;
        }
      });
      part.replaceWith(fresh);
      scrolled.forEach(([id, left, top]) => {
        const same = document.getElementById(id);
        if (same) {
          same.scrollLeft = left;
          same.scrollTop = top;
        }
      });
      const found = find && find(fresh);
      if (found) {
        found.focus({ preventScroll: true });
      }
    }

    // The first thing that begins in the window: it stays where it is.
    function read() {
      const shown = Array.from(parts.querySelectorAll("[id]")).find((one) => {
        const place = one.getBoundingClientRect();
        return place.height > 0 && place.top >= 0 && place.top < window.innerHeight;
      });
      return shown && { id: shown.id, top: shown.getBoundingClientRect().top };
    }

    function show(html) {
      const place = read();
      put(html);
      const same = place && document.getElementById(place.id);
      if (same) {
        window.scrollBy(0, same.getBoundingClientRect().top - place.top);
      }
    }

    function put(html) {
      const fresh = new DOMParser().parseFromString(html, "text/html");
      const found = Array.from(fresh.querySelectorAll("[data-part]"));
      const ids = new Set(found.map((part) => part.id));
      parts.querySelectorAll("[data-part]").forEach((part) => {
        if (!ids.has(part.id)) {
          part.remove();
        }
      });
      found.forEach((part) => {
        const old = document.getElementById(part.id);
        if (old) {
          replace(old, document.adoptNode(part));
        } else {
          parts.append(document.adoptNode(part));
        }
      });
    }

    async function refresh() {
      if (asking) {
        return;
      }
      asking = new AbortController();
      const limit = setTimeout(() => asking.abort(), PATIENCE);
      try {
        const answer = await fetch(parts.dataset.fragment, {
          signal: asking.signal,
          headers: { Accept: "text/html" },
        });
        if (answer.redirected) {
          say("You are no longer logged in: load the page again.");
          every.value = "0";
        } else if (!answer.ok) {
          say("The last refresh failed (" + answer.status + ").");
        } else {
          show(await answer.text());
          say("");
        }
      } catch (error) {
        say("The last refresh failed: " + error.message);
      }
      clearTimeout(limit);
      asking = null;
      last = Date.now();
      plan();
    }

    function plan() {
      clearTimeout(timer);
      const pause = Number(every.value) * 1000;
      if (pause && !document.hidden) {
        timer = setTimeout(refresh, Math.max(last + pause - Date.now(), 0));
      }
    }

    function remembered() {
      try {
        return localStorage.getItem(KEPT);
      } catch (error) {
        return null; // storage is forbidden
      }
    }

    every.addEventListener("change", () => {
      try {
        localStorage.setItem(KEPT, every.value);
      } catch (error) {
        // It counts for this page only.
      }
      plan();
    });
    now.addEventListener("click", (event) => {
      event.preventDefault();
      refresh();
    });
    document.addEventListener("visibilitychange", plan);
    const wanted = remembered();
    if (Array.from(every.options).some((option) => option.value === wanted)) {
      every.value = wanted;
    }
    label.hidden = false;
    plan();
  }

  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", start);
  } else {
    start();
  }
})();
