/** Where moments come from: asks the server, and asks again when what came has been drawn. */

import { decode } from "./frames.js";

const UNKNOWN_RUN = 4404;
const NOT_UNDERSTOOD = new Set([4400, 1008, 1009]); // asking again would change nothing
const LONGEST_WAIT = 5000;

export class Source {
  /**
   * `on.message(message)`, `on.trouble(sentence)`, `on.open()`: also after each reconnection.
   */
  constructor(path, on) {
    this.path = path;
    this.on = on;
    this.wait = 250;
    this.closed = false;
    this.#connect();
  }

  /** Ask for something; only the last question is answered. */
  ask(question) {
    this.#send(question);
  }

  /** What pages/wire/routes.py knows to do, with what it needs for that. */
  command(verb, rest) {
    this.#send({ do: verb, ...rest });
  }

  /** Ask for a point as the models give it back; the answer is a message like any other. */
  decode(index) {
    this.#send({ decode: index });
    return true;
  }

  close() {
    this.command("leave");
    this.closed = true;
    clearTimeout(this.timer);
    this.socket.close();
  }

  #send(request) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(request));
  }

  #connect() {
    const url = new URL(this.path, window.location.origin);
    url.protocol = url.protocol.replace("http", "ws");
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.wait = 250;
      this.on.trouble(null);
      this.on.open();
    };
    this.socket.onmessage = (event) => this.on.message(decode(event.data));
    this.socket.onclose = (event) => this.#lost(event);
  }

  #lost(event) {
    if (this.closed) return;
    if (event.code === UNKNOWN_RUN) {
      this.on.trouble(event.reason);
      return;
    }
    if (NOT_UNDERSTOOD.has(event.code)) {
      this.on.trouble("The server does not understand this page any more: reload it.");
      return;
    }
    this.on.trouble("The connection is lost; trying again …");
    this.timer = setTimeout(() => this.#connect(), this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
  }
}
