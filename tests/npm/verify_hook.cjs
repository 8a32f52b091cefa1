// Reads one JSON line a hook, {secret, body, timestamp, signature}; prints one JSON line each: what the published
// verifier says, and the data that its handler got (null when it got none).
const { Crisp } = require("crisp-api");
const lines = require("fs").readFileSync(0, "utf8").trim().split("\n").map((line) => JSON.parse(line));

const crisp = new Crisp();
crisp.setRtmMode("webhooks");
let got = null;
crisp.on("status:health:changed", (data) => { got = data; }).then(async () => {
  for (const { secret, body, timestamp, signature } of lines) {
    got = null;
    const parsed = JSON.parse(body);
    const verified = crisp.verifyHook(secret, parsed, timestamp, signature);
    const error = crisp.receiveHook(parsed);
    await new Promise((resolve) => setImmediate(resolve));
    console.log(JSON.stringify({ verified, error: error && String(error), data: got }));
  }
});
