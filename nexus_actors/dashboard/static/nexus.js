// Converts times to the viewer's time zone, and updates the live part. Without it, all pages work
// by reloading.
"use strict";

(() => {
  const zoneTime = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const two = (number) => String(number).padStart(2, "0");

  const localTime = (moment, now) => {
    const time = zoneTime.format(moment);
    const sameDay = moment.toDateString() === now.toDateString();
    if (sameDay) return time;
    const year = moment.getFullYear() === now.getFullYear() ? "" : `${moment.getFullYear()}-`;
    return `${year}${two(moment.getMonth() + 1)}-${two(moment.getDate())} ${time}`;
  };

  const localize = (root) => {
    const now = new Date();
    for (const element of root.querySelectorAll("time[datetime], text[data-at]")) {
      const text = element.getAttribute("datetime") || element.dataset.at;
      const moment = new Date(text);
      if (Number.isNaN(moment.getTime())) continue;
      if (element.dataset.form === "clock") {
        element.textContent = `${two(moment.getHours())}:${two(moment.getMinutes())}`;
      } else if (element.dataset.form === "day") {
        element.textContent = `${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
      } else {
        element.textContent = localTime(moment, now);
      }
    }
  };

  // -- the live part

  const live = document.getElementById("live");
  const liveness = document.getElementById("liveness");
  const received = new Map(); // the last HTML received, by the child's id

  const isInUse = (element) => {
    if (element.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return true;
    for (const field of element.querySelectorAll("input, textarea")) {
      if (field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue) return true;
    }
    const selection = document.getSelection();
    return selection !== null && !selection.isCollapsed && element.contains(selection.anchorNode);
  };

  const keyOf = (element, root) => {
    if (element.id) return `#${CSS.escape(element.id)}`;
    const steps = [];
    for (let at = element; at !== root && at.parentElement; at = at.parentElement) {
      steps.unshift(`${at.tagName.toLowerCase()}:nth-child(${1 + [...at.parentElement.children].indexOf(at)})`);
    }
    return `:scope > ${steps.join(" > ")}`;
  };

  const swap = (old, fresh) => {
    const active = document.activeElement;
    const focused = old.contains(active) ? keyOf(active, old) : null;
    const openings = [...old.querySelectorAll("details")].map((it) => [keyOf(it, old), it.open]);
    const scrolls = [...old.querySelectorAll(".scroll, pre")].filter((it) => it.scrollLeft || it.scrollTop)
      .map((it) => [keyOf(it, old), it.scrollLeft, it.scrollTop]);
    old.replaceWith(fresh);
    for (const [key, open] of openings) {
      const found = fresh.querySelector(key);
      if (found instanceof HTMLDetailsElement) found.open = open;
    }
    for (const [key, left, top] of scrolls) {
      const found = fresh.querySelector(key);
      if (found) { found.scrollLeft = left; found.scrollTop = top; }
    }
    if (focused) fresh.querySelector(focused)?.focus({ preventScroll: true });
  };

  const renew = (html) => {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const order = [...holder.content.children];
    const ids = new Set(order.map((it) => it.id));
    for (const old of [...live.children]) {
      if (!ids.has(old.id) && !isInUse(old)) { received.delete(old.id); old.remove(); }
    }
    let before = null;
    for (const fresh of order) {
      const { id } = fresh;
      const old = id ? [...live.children].find((it) => it.id === id) : null;
      const text = fresh.outerHTML;
      if (!old) {
        localize(fresh.parentNode);
        if (before) before.after(fresh); else live.prepend(fresh);
        before = fresh;
      } else {
        before = old;
        if (received.get(id) !== text && !isInUse(old)) {
          localize(fresh.parentNode);
          swap(old, fresh);
          before = fresh;
          received.set(id, text);
        }
        continue;
      }
      received.set(id, text);
    }
  };

  const tellLiveness = (on, moment) => {
    liveness.classList.toggle("on", on);
    liveness.classList.toggle("off", !on);
    document.getElementById("liveness-state").textContent = on ? "live, as of" : "not live since";
    const time = liveness.querySelector("time");
    time.setAttribute("datetime", moment.toISOString());
    time.title = `${moment.toISOString().slice(0, 19).replace("T", " ")} UTC`;
    localize(liveness);
  };

  const follow = () => {
    const announcer = document.getElementById("announcer");
    let pause = 1000;
    let wasOn = null;
    let last = new Date();
    let source = null;
    let waiting = null;
    const tell = (on, why = "") => {
      tellLiveness(on, last);
      liveness.title = why;
      if (wasOn !== null && wasOn !== on) announcer.textContent = on ? "The page is live again." : "The page is not live any more.";
      wasOn = on;
    };
    const connect = () => {
      waiting = null;
      source = new EventSource(liveness.dataset.live);
      source.addEventListener("part", (event) => {
        const told = JSON.parse(event.data);
        pause = 1000;
        last = new Date(told.at);
        renew(told.html);
        tell(true);
      });
      source.addEventListener("same", (event) => {
        last = new Date(JSON.parse(event.data).at);
        tell(true);
      });
      source.addEventListener("trouble", (event) => tell(false, JSON.parse(event.data).why));
      source.addEventListener("end", () => { source.close(); tell(false); });
      source.onerror = () => {
        source.close();
        tell(false);
        if (!document.hidden) waiting = setTimeout(connect, pause * (0.75 + Math.random() / 2));
        pause = Math.min(2 * pause, 60000);
      };
    };
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        clearTimeout(waiting);
        source?.close();
        tell(false);
      } else {
        clearTimeout(waiting);
        source?.close();
        connect();
      }
    });
    if (!document.hidden) connect();
  };

  localize(document);
  if (live && liveness && "EventSource" in window) follow();
})();
