/* Push messages on this device: asks the browser, then says where to send them. */
(function () {
  var form = document.getElementById("push"), say = form.querySelector("[role=status]"), root = form.dataset.root;
  function bytes(text) {
    var raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(raw, function (c) { return c.charCodeAt(0); });
  }
  if (location.hash === "#push") form.closest("details").open = true;
  form.addEventListener("submit", function (event) {
    event.preventDefault();
    var wanted = new FormData(form);
    if (!("serviceWorker" in navigator && "PushManager" in window)) { say.textContent = form.dataset.denied; return; }
    Notification.requestPermission().then(function (answer) {
      if (answer !== "granted") { say.textContent = form.dataset.denied; return null; }
      return fetch(root + "subscribe/push-key").then(function (r) { return r.json(); }).then(function (got) {
        return navigator.serviceWorker.register(root + "subscribe/worker.js", { scope: root + "subscribe/" }).then(function (worker) {
          return ready(worker).then(function () {
            return worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(got.key) });
          });
        });
      }).then(function (subscription) {
        return fetch(root + "subscribe/push", {
          method: "POST", headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ subscription: subscription, what: wanted.get("what"), services: wanted.getAll("service"),
            language: form.dataset.language })
        });
      }).then(function (r) { say.textContent = r.ok ? form.dataset.done : form.dataset.failed; });
    }).catch(function () { say.textContent = form.dataset.failed; });
  });
  function ready(worker) {
    return new Promise(function (done) {
      if (worker.active) { done(); return; }
      (worker.installing || worker.waiting).addEventListener("statechange", function () { if (this.state === "activated") done(); });
    });
  }
})();
