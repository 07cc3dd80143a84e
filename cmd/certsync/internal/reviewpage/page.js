"use strict";
// The page can be read without this. It adds sorting and a filter.
for (const table of document.querySelectorAll("table.sort")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach((head, column) => {
    if (!head.textContent) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const text = (row) => row.cells[column].textContent.trim();
      const rows = [...body.rows].sort((a, b) => text(a).localeCompare(text(b), "en", { numeric: true }) * (up ? 1 : -1));
      body.append(...rows);
    });
  });
}
const query = document.getElementById("query");
const matches = document.getElementById("matches");
const filtered = [...document.querySelectorAll("[data-f]")];
document.getElementById("filter").hidden = false;
document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());
query.addEventListener("input", () => {
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  let people = 0;
  for (const element of filtered) {
    element.hidden = !words.every((word) => element.dataset.f.includes(word));
    if (!element.hidden && element.classList.contains("person")) people++;
  }
  matches.textContent = words.length ? `${people} people` : "";
});
