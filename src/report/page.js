"use strict";
/* The browser of samples. The data is {"tasks": [{"run", "task", "samples": [{"id", "ok", "category",
 * "metrics", "target", "prompts", "answers": [{"prompt", "text", "logprob", "greedy", "picked", "right"}],
 * "texts", "error"}]}]}: answers share the prompts they follow. The filter stands in the address, so that a
 * view can be kept as a link. */
(function () {
  const element = document.getElementById("samples-data");
  if (!element) return;
  const data = JSON.parse(element.textContent);
  const STEP = 50;
  const $ = (id) => document.getElementById(id);
  const all = [];
  data.tasks.forEach((t, index) => t.samples.forEach((s) => all.push({ t, s, index, text: null })));
  const make = (tag, properties, ...children) => {
    const e = Object.assign(document.createElement(tag), properties || {});
    e.append(...children);
    return e;
  };
  const searched = (x) => {
    if (x.text === null)
      x.text = [x.s.target, ...(x.s.prompts || []), ...(x.s.answers || []).map((a) => a.text),
        ...(x.s.texts || [])].join("\n").toLowerCase();
    return x.text;
  };
  const blanks = (text) => text.replace(/ /g, "\u00b7").replace(/\n/g, "\u21b5\n").replace(/\t/g, "\u2192\t");
  const number = (v) => (typeof v === "number" ? (Number.isInteger(v) ? String(v) : v.toFixed(4)) : String(v));

  function body(x) {
    const box = make("div");
    const s = x.s;
    (s.prompts || []).forEach((prompt, p) => {
      const followers = (s.answers || []).filter((a) => a.prompt === p);
      const shown = followers.find((a) => a.picked) || followers[0];
      /* the join: the last characters of the prompt and the answer, blanks made visible */
      const cut = Math.max(0, prompt.length - 12);
      const pre = make("pre", {}, prompt.slice(0, cut), make("mark", { title: "end of the prompt" }, blanks(prompt.slice(cut))));
      if (shown) pre.append(make("mark", { className: "answer", title: "what is scored" }, blanks(shown.text)));
      (p === 0 ? s.texts || [] : []).forEach((text) =>
        pre.append(make("mark", { className: "answer", title: "what the model wrote" }, text)));
      box.append(pre);
    });
    if ((s.answers || []).length) {
      const rows = s.answers.map((a) => make("tr", {},
        make("td", { className: "mono" }, blanks(a.text)),
        make("td", { className: "n" }, a.logprob === null ? "" : a.logprob.toFixed(4)),
        make("td", {}, a.greedy ? "greedy" : ""),
        make("td", {}, a.picked ? "picked" : ""),
        make("td", { className: a.right ? "good" : "" }, a.right ? "right answer" : "")));
      box.append(make("div", { className: "wide" }, make("table", {},
        make("thead", {}, make("tr", {}, ...["scored text", "ln p", "", "", ""].map((h, i) =>
          make("th", { className: i === 1 ? "n" : "" }, h)))),
        make("tbody", {}, ...rows))));
    }
    const list = make("dl", { className: "pairs" });
    const pair = (name, value) => list.append(make("dt", {}, name), make("dd", {}, value));
    pair("target", s.target);
    Object.keys(s.metrics || {}).forEach((name) => pair(name, number(s.metrics[name])));
    if (s.category) pair("category", s.category);
    if (s.hash) pair("document", make("code", {}, s.hash));
    box.append(list);
    return box;
  }
  function row(x) {
    const s = x.s;
    const prompt = (s.prompts || [""])[0];
    const tail = prompt.trimEnd().split("\n").slice(-2).join(" \u21b5 ");
    const mark = s.ok === null ? ["\u00b7", "muted"] : s.ok ? ["\u2713", "good"] : ["\u2717", "bad"];
    const details = make("details", {}, make("summary", {},
      make("span", { className: "mark " + mark[1], title: s.ok === null ? "" : s.ok ? "right" : "wrong" }, mark[0]),
      make("span", { className: "where" }, (data.tasks.length > 1 ? x.t.label + " " : "") + "#" + s.id),
      make("span", { className: "line" }, tail || s.target)));
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(body(x));
    });
    return make("li", {}, details);
  }

  let hits = [], shown = 0;
  function more() {
    $("sample-list").append(...hits.slice(shown, shown + STEP).map(row));
    shown = Math.min(hits.length, shown + STEP);
    $("sample-more").hidden = shown >= hits.length;
  }
  function apply() {
    const words = $("sample-text").value.toLowerCase();
    const task = $("sample-task").value, judged = $("sample-judged").value, category = $("sample-category").value;
    hits = all.filter((x) =>
      (task === "" || x.index === Number(task)) &&
      (judged === "" || (x.s.ok !== null && String(x.s.ok) === judged)) &&
      (category === "" || x.s.category === category) &&
      (words === "" || searched(x).includes(words)));
    $("sample-count").textContent = hits.length + " of " + all.length + " samples";
    $("sample-list").replaceChildren();
    shown = 0;
    more();
    const state = new URLSearchParams();
    if (words) state.set("text", words);
    if (task) state.set("task", task);
    if (judged) state.set("right", judged);
    if (category) state.set("category", category);
    history.replaceState(null, "", state.toString() ? "#" + state : location.pathname + location.search);
  }
  data.tasks.forEach((t, i) => $("sample-task").append(make("option", { value: String(i) }, t.label)));
  [...new Set(all.map((x) => x.s.category).filter(Boolean))].sort().forEach((c) =>
    $("sample-category").append(make("option", { value: c }, c)));
  $("sample-task").hidden = data.tasks.length < 2;
  $("sample-category").hidden = $("sample-category").options.length < 2;
  if (location.hash.includes("=")) {
    const state = new URLSearchParams(location.hash.slice(1));
    $("sample-text").value = state.get("text") || "";
    $("sample-task").value = state.get("task") || "";
    $("sample-judged").value = state.get("right") || "";
    $("sample-category").value = state.get("category") || "";
  }
  ["sample-text", "sample-task", "sample-judged", "sample-category"].forEach((id) =>
    $(id).addEventListener("input", apply));
  $("sample-more").addEventListener("click", more);
  $("sample-tools").hidden = false;
  apply();
})();
