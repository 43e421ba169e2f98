"use strict";
// Sorting of tables, a slider between two models' maps, and links that open the picture they lead to.
// Without it the page is complete but for these three.

function keyOf(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent;
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text;
}

function compareKeys(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

function sortBy(heading) {
  const table = heading.closest("table");
  const column = heading.cellIndex;
  const descending = heading.ariaSort === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.ariaSort = descending ? "descending" : "ascending";
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) => compareKeys(keyOf(a, column), keyOf(b, column)));
  body.append(...(descending ? rows.reverse() : rows));
}

function choice(figures, chosen, label) {
  const select = document.createElement("select");
  select.ariaLabel = label;
  figures.forEach((figure, i) => select.add(new Option(figure.dataset.model, i, i === chosen, i === chosen)));
  return select;
}

// Two maps over one another; what is left of the line is the first model's.
function slider(maps) {
  const figures = [...maps.querySelectorAll("figure")];
  const figure = figures[0].cloneNode(true);
  const stack = figure.querySelector(".stack");
  const under = stack.querySelector("img");
  const over = under.cloneNode();
  const line = document.createElement("i");
  const range = document.createElement("input");
  const sides = [choice(figures, 0, "left of the line"), choice(figures, 1, "right of the line")];
  const show = () => {
    const images = sides.map((side) => figures[side.value].querySelector("img"));
    [over.src, over.alt, under.src, under.alt] = [images[0].src, images[0].alt, images[1].src, images[1].alt];
    const names = sides.map((side) => figures[side.value].dataset.model);
    range.ariaLabel = `slider between ${names[0]} (left) and ${names[1]} (right)`;
  };
  const move = () => {
    stack.style.setProperty("--cut", `${range.value}%`);
    range.ariaValueText = `${range.value} % from the left`;
  };
  Object.assign(range, { type: "range", min: 0, max: 100, value: 50 });
  line.className = "line";
  over.className = "over";
  figure.classList.add("wipe");
  delete figure.dataset.model;
  stack.append(over, line, range);
  figure.querySelector("figcaption").replaceChildren(sides[0], "|", sides[1]);
  range.addEventListener("input", move);
  sides.forEach((side) => side.addEventListener("change", show));
  show();
  move();
  maps.append(figure);
}

function fill(block) {
  for (const maps of block.querySelectorAll(".maps.row:not(.filled)")) {
    maps.classList.add("filled");
    if (maps.querySelectorAll("figure").length > 1) slider(maps);
  }
}

function follow() {
  const block = document.getElementById(location.hash.slice(1))?.closest("details.case");
  if (!block) return;
  block.open = true;
  block.scrollIntoView();
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortBy(button.closest("th")));
}
for (const block of document.querySelectorAll("details.case")) {
  if (block.open) fill(block);
  block.addEventListener("toggle", () => block.open && fill(block));
}
addEventListener("hashchange", follow);
follow();
