/**
 * Where moments come from: asks the server, and asks again when what came has been drawn.
 *
 * @import { FollowQuestion, MomentSource, Receiver } from "./types"
 * @typedef {{ do: string, changes?: object, [known: string]: unknown }} Command
 */

import { decode } from "./frames.js";

const UNKNOWN_RUN = 4404;
const NOT_UNDERSTOOD = new Set([4400, 1008, 1009]); // asking again would change nothing
const FIRST_WAIT = 250; // before the first try to connect again, in milliseconds
const LONGEST_WAIT = 5000;
/** What waits for a connection: whatever stays with this run. */
const WAITS = new Set(["change", "play", "pause", "step", "reset", "predict", "reveal", "try"]);
/** What makes another run: to it the page itself goes on, which is opened anew meanwhile. */
const AGAIN = new Set(["branch", "reseed", "copy"]);
/** What a later command takes back. */
const OPPOSITES = new Map([["play", ["pause"]], ["pause", ["play", "step"]], ["reset", ["step"]]]);

/** @implements {MomentSource} */
export class Source {
  /** @type {WebSocket} */
  socket;

  /**
   * @param {string} path  the websocket's, on this server
   * @param {Receiver} on
   */
  constructor(path, on) {
    this.path = path;
    this.on = on;
    this.wait = FIRST_WAIT;
    this.closed = false;
    /** @type {Map<string, Command>} what was asked of the run while there was no connection */
    this.waiting = new Map();
    this.socket = this.#connect();
  }

  /**
   * Ask for something; only the last question is answered.
   * @param {object} request
   */
  ask(request) {
    this.#send(request);
  }

  /**
   * What pages/wire/routes.py knows to do, with what it needs for that. Without a connection it
   * waits for one: whoever moved a lever sees it stand there.
   * @param {string} verb
   * @param {object} [rest]
   */
  command(verb, rest) {
    /** @type {Command} */
    const command = { do: verb, ...rest };
    if (this.#send(command)) return;
    if (AGAIN.has(verb)) this.on.trouble("The connection is lost: do this again when it is back.");
    if (!WAITS.has(verb)) return;
    for (const other of OPPOSITES.get(verb) ?? []) this.waiting.delete(other);
    const before = this.waiting.get(verb)?.changes;
    this.waiting.delete(verb); // the last one said is the last one sent
    this.waiting.set(verb, before ? { ...command, changes: { ...before, ...command.changes } } : command);
  }

  /**
   * Ask for a point's way through the models; the answer is a message like any other.
   * @param {FollowQuestion} question
   */
  follow(question) {
    this.#send(question);
    return true;
  }

  /**
   * Ask how points look; the answer is a message like any other.
   * @param {object} request
   */
  look(request) {
    this.#send(request);
  }

  close() {
    this.command("leave");
    this.closed = true;
    clearTimeout(this.timer);
    this.socket.close();
  }

  /**
   * @param {object} request
   * @returns {boolean} whether it was sent
   */
  #send(request) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(request));
    return true;
  }

  #connect() {
    const url = new URL(this.path, window.location.origin);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.wait = FIRST_WAIT;
      this.on.trouble(null);
      const waiting = [...this.waiting.values()];
      this.waiting.clear();
      for (const command of waiting) this.#send(command); // before the page asks how things stand
      this.on.open();
    };
    socket.onmessage = (event) => this.on.message(decode(event.data));
    socket.onclose = (event) => this.#lost(event);
    return socket;
  }

  /** @param {{ code: number, reason: string }} event */
  #lost({ code, reason }) {
    if (this.closed) return;
    if (code === UNKNOWN_RUN) {
      this.on.trouble(reason, true);
    } else if (NOT_UNDERSTOOD.has(code)) {
      this.on.trouble("The server does not understand this page any more: reload it.", true);
    } else {
      this.on.trouble("The connection is lost; trying again …");
      this.timer = setTimeout(() => (this.socket = this.#connect()), this.wait);
      this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
    }
  }
}
