/* Shows a message of the status page on an operator's device, also when no window is open. */
self.addEventListener("push", function (event) {
  var said = {};
  try { said = event.data.json(); } catch (_) { /* An unreadable message is still worth a look at the page. */ }
  event.waitUntil(self.registration.showNotification(said.title || "Status changed", {
    body: said.body || "",
    tag: said.tag || "crisp-status",
    renotify: true,
    requireInteraction: said.health === "dead" && said.kind !== "recovered",
    timestamp: said.at || Date.now(),
    data: { url: said.url || "/", links: said.links || [] },
    actions: (said.links || []).slice(0, 2).map(function (link, n) { return { action: String(n), title: link.label }; })
  }));
});
self.addEventListener("notificationclick", function (event) {
  var data = event.notification.data || {}, link = (data.links || [])[Number(event.action)];
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.action && link ? link.url : data.url || "/"));
});
/* A new version takes over at once. */
self.addEventListener("install", function () { self.skipWaiting(); });
self.addEventListener("activate", function (event) { event.waitUntil(self.clients.claim()); });
