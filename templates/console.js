/* Subscribes this device to alerts: the one thing in the console that a form cannot do by itself. */
(function () {
  "use strict";
  var form = document.getElementById("push");
  if (!form || !("serviceWorker" in navigator) || !("PushManager" in window)) return;
  form.hidden = false;
  form.addEventListener("submit", function (event) {
    if (form.subscription.value) return;
    event.preventDefault();
    var status = form.querySelector("[role=status]");
    navigator.serviceWorker
      .register("/operator/push/worker.js", { scope: "/operator/" })
      .then(function () { return navigator.serviceWorker.ready; })
      .then(function (worker) {
        return worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: form.dataset.key });
      })
      .then(function (subscription) {
        form.subscription.value = JSON.stringify(subscription);
        form.submit();
      })
      .catch(function (error) { status.textContent = error.message; });
  });
})();
