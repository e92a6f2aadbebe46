const main = document.querySelector("main"), svg = document.querySelector("svg"), said = document.querySelector("#said");

function draw() {
  const around = main.getBoundingClientRect();
  svg.setAttribute("width", main.scrollWidth);
  svg.setAttribute("height", main.scrollHeight);
  svg.replaceChildren(...edges.map(([from, to]) => {
    const [a, b] = [from, to].map((id) => document.getElementById(id).getBoundingClientRect());
    const x = (side) => side - around.left + main.scrollLeft, y = (box) => box.top + 20 - around.top;
    const [x1, x2] = [x(a.right), x(b.left)], bend = (x1 + x2) / 2;
    const path = document.createElementNS("http:" + "//www.w3.org/2000/svg", "path");
    path.setAttribute("d", `M${x1} ${y(a)} C${bend} ${y(a)} ${bend} ${y(b)} ${x2} ${y(b)}`);
    path.dataset.ends = `${from} ${to}`;
    return path;
  }));
}

/** Everything that follows from one, by these pairs. */
function reached(id, pairs) {
  const found = new Set(), open = [id];
  while (open.length) {
    const at = open.pop();
    for (const [from, to] of pairs) if (from === at && !found.has(to)) { found.add(to); open.push(to); }
  }
  return found;
}

function mark(article) {
  const before = reached(article.id, edges.map(([from, to]) => [to, from])), after = reached(article.id, edges);
  const marked = new Set([article.id, ...before, ...after]);
  for (const other of document.querySelectorAll("article")) other.classList.toggle("marked", marked.has(other.id));
  for (const path of svg.children) path.classList.toggle("marked", path.dataset.ends.split(" ").every((id) => marked.has(id)));
  said.textContent = `${article.querySelector("h3").textContent}: ${before.size} before it, ${after.size} after it.`;
}

main.addEventListener("focusin", (event) => { const article = event.target.closest("article"); if (article) mark(article); });
main.addEventListener("toggle", draw, true);
addEventListener("hashchange", () => document.querySelector(location.hash)?.focus());
addEventListener("resize", draw);
draw();
