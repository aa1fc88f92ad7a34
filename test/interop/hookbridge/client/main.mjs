// A client of HookBridge's pull endpoints, written from their specification alone and without a library. It is told the base URL and two keys. It says {"row":name}
// for each row of the specification that it exercised, with what was wrong if anything was, and {"done":true} at its end.
import { endpoints } from "./endpoints.mjs";
import { events } from "./events.mjs";
import { ingest } from "./ingest.mjs";
import { records } from "./records.mjs";
import { close, say } from "./sdk.mjs";

for (const part of [endpoints, ingest, events, records]) {
  try {
    await part();
  } catch (e) {
    say({ wrong: `${part.name}: ${e.stack}` });
  }
}
close();
say({ done: true });
