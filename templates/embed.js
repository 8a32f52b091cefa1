/* The warning of a crisp-status page, for your own sites. It needs nothing and leaves nothing behind. */
(function (doc) {
"use strict";
try {
  var me = doc.currentScript, data = me.dataset, surface = data.surface || "site";
  var place = surface == "corner" ? "site" : surface;
  var url = new URL("embed.json" + new URL(me.src).search, me.src), key = "crisp-status:" + url.origin, host, shown, gone;
  /* In the flow it pushes the site down and covers nothing; a header that is fixed to the top could not be pushed. */
  var css = ":host{all:initial;display:block}" +
    ":host([data-corner]){position:fixed;z-index:2147483000;inset:auto 20px 20px auto;width:min(380px,100% - 40px)}" +
    "div{display:flex;box-sizing:border-box;gap:14px;padding:10px 16px;background:#161a24;color:#fff;" +
    "font:15px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;" +
    "align-items:center}p{flex:1}.card{align-items:start;border-radius:16px;padding:14px;box-shadow:0 24px 48px -16px #0009}" +
    ".card a{display:inline-block}@media(max-width:560px){div:not(.card) span{display:none}}" +
    "p{margin:0}b{display:block;font-weight:650}span{color:#c9cdd8}" +
    "svg{width:30px;flex:none;fill:none;stroke:#fff;stroke-width:2.5;stroke-linecap:round}" +
    "a{color:#fff;font-weight:550;white-space:nowrap;padding-block:10px}" +
    "button{all:unset;width:44px;height:44px;flex:none;display:grid;place-items:center;border-radius:10px;cursor:pointer}" +
    "button svg{width:16px}button:hover{background:#2c3242}:focus-visible{outline:3px solid #fff;outline-offset:-2px}" +
    "@media(prefers-color-scheme:dark){div{background:#2a3040}}@media(forced-colors:active){div{border:1px solid}}";
  var make = function (parent, name, text) {
    var node = parent.appendChild(doc.createElement(name));
    if (text) node.textContent = text;
    return node;
  };
  var draw = function (parent, shapes) {
    var create = function (above, name, values) {
      var node = above.appendChild(doc.createElementNS("http://www.w3.org/2000/svg", name));
      for (var n in values) node.setAttribute(n, values[n]);
      return node;
    };
    var svg = create(parent, "svg", { viewBox: "0 0 24 24", "aria-hidden": true });
    shapes.forEach(function (shape) { create(svg, "path", shape); });
  };
  var pinned = function () {
    for (var node = doc.elementFromPoint(innerWidth / 2, 2); node; node = node.parentElement)
      if (getComputedStyle(node).position == "fixed") return true;
  };
  var hide = function () { if (host) host.remove(); host = shown = 0; };
  var show = function (said) {
    var id = said.incident + "", words = said.words, state = id + said.headline + said.detail;
    try { gone = localStorage.getItem(key) || gone; } catch (_) {}
    if (state == shown || id == gone) return;
    hide();
    host = doc.createElement("crisp-status-warning");
    var target = data.target && doc.querySelector(data.target), root = host.attachShadow({ mode: "open" });
    var sheet = new CSSStyleSheet(), box = make(root, "div");
    var card = /chat|corner/.test(surface) || (!target && pinned());
    if (card) box.className = "card";
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
    if (card && !target) host.dataset.corner = "";
    host.lang = words.lang;
    host.dir = words.dir;
    box.role = "status";
    box.ariaLabel = words.title;
    (target || doc.body).prepend(host);
    shown = state;
    /* Filled after it stands there, so that screen readers notice. */
    setTimeout(function () {
      draw(box, [
        { d: "M7.8 1.5h8.4l6.3 6.3v8.4l-6.3 6.3H7.8l-6.3-6.3V7.8z", fill: "#f45152", stroke: "#f45152" },
        { d: "m8.3 8.3 7.4 7.4m0-7.4-7.4 7.4", stroke: "#190203" }
      ]);
      var text = make(box, "p");
      make(text, "b", said.headline);
      make(text, "span", said.detail + (surface == "site" ? " " : " " + words.slow + " "));
      make(card ? text : box, "a", words.link).href = said.url;
      var close = make(box, "button");
      close.ariaLabel = words.close;
      draw(close, [{ d: "m3 3 18 18M21 3 3 21" }]);
      close.onclick = function () {
        gone = id;
        try { localStorage.setItem(key, id); } catch (_) {}
        hide();
      };
    }, 50);
  };
  var ask = function () {
    if (doc.hidden) return;
    var stop = new AbortController();
    setTimeout(function () { stop.abort(); }, 8000);
    fetch(url, { credentials: "omit", signal: stop.signal }).then(function (answer) {
      return answer.json();
    }).then(function (said) {
      said.show && said.surfaces[place] ? show(said) : hide();
    }).catch(function () {});
  };
  var start = function () {
    ask();
    setInterval(ask, 60000);
    doc.addEventListener("visibilitychange", ask);
  };
  doc.body ? start() : doc.addEventListener("DOMContentLoaded", start);
} catch (_) { /* A site must never break because its status page does. */ }
})(document);
