// A verdict to hear and to feel: two rising tones for who comes in, two falling for who does not, one for who is in already.

let context;

/** Browsers let a page be heard only after it was touched. */
export function awaken() {
  context ??= new AudioContext();
  context.resume();
}

const tunes = { admit: [[660, 0, 0.1], [990, 0.1, 0.18]], stop: [[220, 0, 0.25], [160, 0.25, 0.35]], known: [[440, 0, 0.3]] };
const shakes = { admit: [60], stop: [200, 80, 200], known: [120] };

export function tell(kind) {
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(shakes[kind]);
  if (context?.state !== 'running') return;
  for (const [pitch, from, length] of tunes[kind]) {
    const tone = context.createOscillator(), volume = context.createGain();
    tone.frequency.value = pitch;
    tone.type = kind === 'stop' ? 'square' : 'sine';
    volume.gain.value = 0.2;
    tone.connect(volume).connect(context.destination);
    tone.start(context.currentTime + from);
    tone.stop(context.currentTime + from + length);
  }
}
