/* What a form of the console cannot do by itself: alerts on this device, passkeys, pages that follow the state. */
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

  /* Whether somebody is writing: then nothing is taken from under their hands. */
  function busy(main) {
    if (main.contains(document.activeElement) && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) return true;
    return Array.prototype.some.call(main.querySelectorAll("input,textarea,option"), function (field) {
      if (field.tagName === "OPTION") return field.selected !== field.defaultSelected && field.parentNode.selectedIndex > 0;
      return field.value !== field.defaultValue || field.checked !== field.defaultChecked;
    });
  }

  function follow() {
    var main = document.getElementById("main");
    if (!main || !main.dataset.live || !window.EventSource) return;
    var source = new EventSource("/operator/live?mark=" + main.dataset.live);
    source.onmessage = function () {
      source.close();
      fetch(location.href)
        .then(function (answer) { return answer.text(); })
        .then(function (text) {
          var page = new DOMParser().parseFromString(text, "text/html");
          var fresh = page.getElementById("main");
          if (!fresh || !fresh.dataset.live) return;
          var nav = page.querySelector(".side nav");
          document.querySelector(".side nav").replaceWith(nav);
          if (busy(main)) {
            main.dataset.live = fresh.dataset.live;
            document.getElementById("news").hidden = false;
          } else {
            main.replaceWith(fresh);
            document.body.className = page.body.className;
            document.title = page.title;
            prepare(fresh);
          }
          follow();
        })
        .catch(function () {});
    };
  }

  function template(button) {
    button.addEventListener("click", function (event) {
      event.preventDefault();
      var chosen = button.form.template.selectedOptions[0];
      button.form.text.value = chosen ? chosen.dataset.text : "";
      button.form.text.focus();
    });
  }

  function prepare(part) {
    part.querySelectorAll("form[data-ceremony]").forEach(ceremony);
    part.querySelectorAll("form#push").forEach(push);
    part.querySelectorAll("button[name=use]").forEach(template);
  }

  /* What a form did is said once, not again whenever the page is loaded. */
  if (/[?&]done=/.test(location.search)) {
    history.replaceState(null, "", location.pathname + location.search.replace(/([?&])done=[\w-]*&?/, "$1").replace(/[?&]$/, ""));
  }
  prepare(document);
  follow();
})();
