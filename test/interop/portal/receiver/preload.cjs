// Loaded before a sample by `node -r`, so that the sample itself stays as it is printed. It gives the sample what the page leaves
// out, moves its fixed port 3000 on all addresses to a free one on loopback, and reports on file descriptor 3, one JSON object per
// line: {"port"} once it listens, then {"delivery"} for each answered request. It ends when its standard input does, so that no
// server outlives its test.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const express = require('express');

function report(line) {
  const bytes = Buffer.from(JSON.stringify(line) + '\n');
  for (let sent = 0; sent < bytes.length; ) {
    try {
      sent += fs.writeSync(3, bytes, sent);
    } catch (err) {
      if (err.code !== 'EAGAIN') throw err; // the pipe is full; the test is reading it
    }
  }
}

function watch(req, res) {
  res.on('finish', () => {
    const body = Buffer.isBuffer(req.body) ? req.body.toString('base64') : '';
    report({ delivery: { headers: req.headers, body, status: res.statusCode } });
  });
}

let listening = false;
http.Server.prototype.listen = function (...args) {
  listening = true;
  const done = args.find((arg) => typeof arg === 'function');
  this.prependListener('request', watch);
  return net.Server.prototype.listen.call(this, { host: '127.0.0.1', port: 0 }, () => {
    report({ port: this.address().port });
    if (done) done.call(this);
  });
};

// The second sample begins where an application already stands. In the first one, its own constants hide these.
globalThis.express = express;
globalThis.app = express();
globalThis.WEBHOOK_SECRET = process.env.WEBHOOK_SECRET;
setImmediate(() => {
  if (!listening) globalThis.app.listen(3000);
});

process.stdin.on('end', () => process.exit(0)).resume();
