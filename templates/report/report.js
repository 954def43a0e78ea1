// Search, filters and sorting of the case explorer. The page reads without it; it only hides, shows and reorders.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const tools = byId("tools");
  const list = byId("list");
  if (!tools || !list) return;
  const search = byId("search"), tag = byId("tag"), sort = byId("sort"), unfold = byId("unfold");
  const chips = [...tools.querySelectorAll("[data-change]")];
  const cases = [...list.children].map((element) => ({ element, data: element.dataset, text: null }));
  const plain = (text) => text.normalize("NFKC").toLowerCase();
  const textOf = (item) => (item.text ??= plain(item.element.textContent));

  const apply = () => {
    const words = plain(search.value).split(/\s+/).filter(Boolean);
    const changes = new Set(chips.filter((chip) => chip.ariaPressed === "true").map((chip) => chip.dataset.change));
    let shown = 0;
    for (const item of cases) {
      const fits =
        (changes.size === 0 || changes.has(item.data.change)) &&
        (tag.value === "" || item.data.tags.split(" ").includes(tag.value)) &&
        words.every((word) => textOf(item).includes(word));
      item.element.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    byId("count").textContent = shown === cases.length ? `${shown} cases` : `${shown} of ${cases.length} cases`;
    byId("empty").hidden = shown > 0;
  };

  const reorder = () => {
    const key = sort.value;
    const sign = key === "line" ? 1 : -1;
    cases.sort((a, b) => sign * (Number(a.data[key]) - Number(b.data[key])) || Number(a.data.line) - Number(b.data.line));
    list.append(...cases.map((item) => item.element));
  };

  const reset = () => {
    search.value = "";
    tag.value = "";
    for (const chip of chips) chip.ariaPressed = "false";
    apply();
  };

  const openLinked = () => {
    const linked = /^#case-\d+$/.test(location.hash) && byId(location.hash.slice(1));
    if (linked) {
      linked.open = true;
      linked.hidden = false;
      linked.scrollIntoView({ block: "start" });
    }
  };

  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, cases.length > 200 ? 120 : 0);
  });
  tag.addEventListener("change", apply);
  sort.addEventListener("change", reorder);
  byId("reset").addEventListener("click", reset);
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.ariaPressed = String(chip.ariaPressed !== "true");
      apply();
    });
  }
  unfold.addEventListener("click", () => {
    const open = unfold.ariaPressed !== "true";
    unfold.ariaPressed = String(open);
    unfold.textContent = open ? "Close all" : "Open all";
    for (const item of cases) if (!item.element.hidden) item.element.open = open;
  });
  tools.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      search.focus();
    }
  });
  addEventListener("hashchange", openLinked);
  tools.hidden = false;
  apply();
  openLinked();
})();
