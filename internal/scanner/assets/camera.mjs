// The camera, and finding codes in its picture: by the browser's BarcodeDetector where there is one, else by a decoder of our own in a worker.

export class Camera {
  constructor(video, found, failed) {
    this.video = video;
    this.found = found;
    this.failed = failed; // told when codes cannot be looked for
    this.running = false;
  }

  /** Starts. It fails where there is no camera, or where it may not be used. */
  async start() {
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 1280 }, height: { ideal: 960 } }, audio: false });
    this.video.srcObject = this.stream;
    await this.video.play();
    this.look = await looker();
    this.running = true;
    this.loop();
  }

  stop() {
    this.running = false;
    this.stream?.getTracks().forEach((t) => t.stop());
    this.video.srcObject = null;
  }

  async loop() {
    while (this.running) {
      if (this.video.readyState >= 2) {
        const code = await this.look(this.video).catch(() => { this.failed(); });
        if (code && this.running) this.found(code);
      }
      await new Promise((r) => setTimeout(r, 80));
    }
  }

  track() { return this.stream?.getVideoTracks()[0]; }
  hasTorch() { return Boolean(this.track()?.getCapabilities?.().torch); }
  async torch(on) { await this.track().applyConstraints({ advanced: [{ torch: on }] }); }
}

let worker;

/** What looks for a code in a picture: a function of the video. */
async function looker() {
  if ('BarcodeDetector' in globalThis && (await BarcodeDetector.getSupportedFormats().catch(() => [])).includes('qr_code')) {
    const detector = new BarcodeDetector({ formats: ['qr_code'] });
    return async (video) => (await detector.detect(video))[0]?.rawValue;
  }
  worker ??= new Worker(new URL('decoder.js', import.meta.url)); // one for as long as the page is open, also when there is a new release meanwhile
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  return (video) => {
    const scale = Math.min(1, 800 / video.videoWidth);
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const picture = context.getImageData(0, 0, canvas.width, canvas.height);
    return new Promise((resolve, reject) => {
      worker.onmessage = (e) => resolve(e.data);
      worker.onerror = reject;
      worker.postMessage({ data: picture.data, width: picture.width, height: picture.height }, [picture.data.buffer]);
    });
  };
}
