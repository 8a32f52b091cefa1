// Drives the published reporters against the address in argv. crisp-status-reporter has no option for its endpoint, so
// https.request is pointed elsewhere before it is loaded (PROTOCOLS section 1.5); the libraries are as published.
"use strict";

const http = require("http");
const https = require("https");

const [kind, base, token] = process.argv.slice(2);
const there = new URL(base);

https.request = (options, done) =>
  http.request({ ...options, host: there.hostname, port: there.port }, done);

const common = { token, node_id: "npm", replica_id: "node/" + kind, interval: 1, console: console };

if (kind === "crisp") {
  const { CrispStatusReporter } = require("crisp-status-reporter");
  new CrispStatusReporter({ ...common, service_id: "crisp" });
} else {
  const { VigilReporter } = require("vigil-reporter");
  new VigilReporter({ ...common, url: base, probe_id: "vigil" });
}
