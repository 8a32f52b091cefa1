/* What a form of the console cannot do by itself: alerts on this device, and passkeys. */
(function () {
  "use strict";

  function ceremony(form) {
    var make = form.dataset.ceremony === "create";
    var read = make ? "parseCreationOptionsFromJSON" : "parseRequestOptionsFromJSON";
    var starter = document.querySelector('[form="' + form.id + '"]');
    if (!window.PublicKeyCredential || !PublicKeyCredential[read]) return;
    (starter || form).hidden = false;
    form.addEventListener("submit", function (event) {
      if (form.answer.value) return;
      event.preventDefault();
      var status = form.querySelector("[role=status]") || document.getElementById(form.id + "s");
      status.textContent = "";
      fetch(form.dataset.options, { headers: { Accept: "application/json" } })
        .then(function (answer) { return answer.json(); })
        .then(function (options) {
          if (options.error) throw new Error(options.detail);
          return navigator.credentials[form.dataset.ceremony]({ publicKey: PublicKeyCredential[read](options) });
        })
        .then(function (credential) {
          form.answer.value = JSON.stringify(credential);
          form.submit();
        })
        .catch(function (error) { status.textContent = error.message; });
    });
  }

  function push(form) {
    if (!("serviceWorker" in navigator) || !("PushManager" in window)) return;
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
  }

  document.querySelectorAll("form[data-ceremony]").forEach(ceremony);
  document.querySelectorAll("form#push").forEach(push);
})();
