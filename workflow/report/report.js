"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const made = (name, text, className) => {
    const element = document.createElement(name);
    element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const button = (text, className) => Object.assign(made("button", text, className), { type: "button" });
  const says = document.getElementById("says");
  const say = (text) => { says.textContent = ""; setTimeout(() => { says.textContent = text; }, 30); };

  // Copying: the clipboard where the browser gives it, else a selection.
  const copyBySelection = (text) => {
    const area = made("textarea", text, "hidden-area");
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyBySelection(text);
    }
  };
  for (const place of all("[data-copy]")) {
    const what = place.querySelector("code");
    const press = button("Copy", "copy");
    press.setAttribute("aria-label", `Copy: ${place.dataset.copy}`);
    press.addEventListener("click", async () => {
      const done = await copy(what.textContent);
      press.textContent = done ? "Copied" : "Select it by hand";
      say(done ? "Copied" : "It could not be copied");
      setTimeout(() => { press.textContent = "Copy"; }, 2000);
    });
    place.append(press);
  }

  // Sorting: a button in each heading; numbers by value, unknown ones last.
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.sort ?? cell.textContent.trim();
    return text === "" ? null : Number.isNaN(Number(text)) ? text : Number(text);
  };
  const compare = (one, other) => {
    if (one === null || other === null) return (one === null) - (other === null);
    if (typeof one === "number" && typeof other === "number") return one - other;
    return String(one).localeCompare(String(other), "en", { numeric: true });
  };
  const sort = (table, heading, column) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = all("tr", table.tBodies[0]).map((row) => [valueOf(row, column), row]);
    rows.sort(([one], [other]) => (one === null || other === null ? compare(one, other) : (down ? -1 : 1) * compare(one, other)));
    table.tBodies[0].append(...rows.map(([, row]) => row));
    say(`Sorted by ${heading.textContent}, ${down ? "descending" : "ascending"}`);
  };
  for (const table of all("table.sortable")) {
    all("thead th", table).forEach((heading, column) => {
      const press = button(heading.textContent, "sort");
      heading.replaceChildren(press);
      press.addEventListener("click", () => sort(table, heading, column));
    });
  }

  // Filtering: rows that hold the text.
  for (const table of all("table[data-filter]")) {
    const field = Object.assign(document.createElement("input"), { type: "search", autocomplete: "off" });
    const label = made("label", `Filter ${table.dataset.filter} `, "filter");
    label.append(field);
    const rows = all("tr", table.tBodies[0]).map((row) => [row.textContent.toLowerCase(), row]);
    field.addEventListener("input", () => {
      const wanted = field.value.trim().toLowerCase();
      let shown = 0;
      for (const [text, row] of rows) {
        row.hidden = !text.includes(wanted);
        shown += row.hidden ? 0 : 1;
      }
      say(`${shown} of ${rows.length} ${table.dataset.filter} shown`);
    });
    table.closest(".scroll").before(label);
  }

  // Folding: everything at once, whatever a link leads to, and all of it on paper.
  const folds = all("main details");
  const turn = button("Unfold all", "turn");
  turn.setAttribute("aria-pressed", "false");
  turn.addEventListener("click", () => {
    const open = turn.getAttribute("aria-pressed") === "false";
    folds.forEach((fold) => { fold.open = open; });
    turn.setAttribute("aria-pressed", String(open));
    turn.textContent = open ? "Fold all" : "Unfold all";
  });
  document.querySelector(".tools").append(turn);
  const reveal = () => {
    let place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!place) return;
    const goal = place;
    for (; place; place = place.parentElement) if (place.tagName === "DETAILS") place.open = true;
    goal.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();
  const contents = document.querySelector(".contents > details");
  const wide = matchMedia("(min-width: 68rem)");
  const settle = () => { contents.open = wide.matches; };
  wide.addEventListener("change", settle);
  settle();
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details:not([open])");
    folded.forEach((fold) => { fold.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach((fold) => { fold.open = false; }));
})();
