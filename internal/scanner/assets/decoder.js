// A worker that finds a QR code in a picture, beside the page's thread.
'use strict';

importScripts('vendor/jsqr/jsQR.js');

self.onmessage = ({ data: { data, width, height } }) => {
  self.postMessage(jsQR(data, width, height, { inversionAttempts: 'attemptBoth' })?.data);
};
