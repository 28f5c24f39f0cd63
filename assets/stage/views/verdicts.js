/** One card per model: its name, how it stands, and the sentence that says so. */

import { make, number, say } from "../dom.js";

const BADGES = {
  certified: "✓ certified",
  "not certified": "not certified",
  collapsed: "✕ collapsed",
};

export class Verdicts {
  lively = true;

  constructor(element, scene, theme, recording) {
    this.scene = scene;
    this.recording = recording;
    this.cards = scene.members.map((member) => this.#card(member));
    // Sentences change with every frame; only the last word is read aloud.
    this.spoken = make("p", { className: "svae-unseen", "aria-live": "polite" });
    element.append(...this.cards.map((card) => card.root), this.spoken);
    this.recolour(theme);
  }

  draw(moment) {
    const done = moment.index === this.recording.count - 1 ? this.recording.certificates : [];
    this.cards.forEach((card, m) => {
      const model = done[m] ?? moment.models[m];
      const verdict = done[m]?.verdict ?? "";
      say(card.loss, number(model.loss));
      say(card.kl, number(model.kl, 2));
      say(card.gauge, number(moment.models[m].gauge ?? this.scene.members[m].gauge, 2));
      say(card.badge, BADGES[verdict] ?? "");
      card.root.dataset.verdict = verdict.replace(" ", "-");
      say(card.sentence, model.sentence);
    });
    const names = this.scene.members.map((member) => member.name);
    say(this.spoken, done.map((one, m) => `${names[m]}: ${one.sentence}`).join(" "));
  }

  resize() {}

  recolour(theme) {
    this.cards.forEach((card, m) => {
      card.root.style.setProperty("--svae-model", theme.colourOf(this.scene.members[m]));
    });
  }

  dispose() {}

  #card(member) {
    const card = {
      badge: make("span", { className: "svae-badge" }),
      loss: make("b"),
      kl: make("b"),
      gauge: make("b"),
      sentence: make("p", { className: "svae-sentence" }),
    };
    const help =
      "βσ²/λ_max: above 1, total collapse is a stable state of a conventional VAE by its units";
    const title = member.name.charAt(0).toUpperCase() + member.name.slice(1);
    card.root = make(
      "article",
      { className: `svae-card svae-${member.symbol}`, "data-method": member.method },
      make(
        "header",
        {},
        make("span", { className: "svae-mark", "aria-hidden": "true" }),
        make("h3", {}, title),
        card.badge,
        make(
          "p",
          { className: "svae-figures" },
          make("span", { title: "loss, with sampled latents" }, "D ", card.loss),
          make("span", { title: "mean KL of the posteriors, in nats" }, "KL ", card.kl),
          make("span", { title: help }, "βσ²/λ", make("sub", {}, "max"), " ", card.gauge),
        ),
      ),
      card.sentence,
    );
    return card;
  }
}
