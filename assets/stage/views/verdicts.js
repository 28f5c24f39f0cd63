/**
 * The name of each model over its shell, and how it stands.
 *
 * @import { Declaration, Member, Moment, Theme, View, ViewContext } from "../types"
 */

import { capitalised, make, number, setText } from "../dom.js";

/** @type {Declaration} */
export const declaration = {
  order: 10,
  span: 12,
  place: "models",
  columns: true,
  early: true,
  needs: ["moment", "models", "certificates"],
  lively: true,
  styles: `
& .svae-card {
  position: relative;
  padding: 0.25rem 0.7rem;
  border-radius: 0.5rem;
  border-left: 5px solid var(--svae-model);
  background: var(--surface);
}

& .svae-card header {
  display: flex;
  align-items: baseline;
  gap: 0.1rem 0.6rem;
}

& .svae-card h3 {
  font-size: 1.05rem;
  font-weight: 600;
}

& .svae-mark {
  align-self: center;
  width: 0.8rem;
  height: 0.8rem;
  background: var(--svae-model);
}

& .svae-circle .svae-mark {
  border-radius: 50%;
}

& .svae-diamond .svae-mark {
  transform: rotate(45deg) scale(0.85);
}

& .svae-cross .svae-mark {
  clip-path: polygon(
    33% 0, 67% 0, 67% 33%, 100% 33%, 100% 67%, 67% 67%, 67% 100%, 33% 100%, 33% 67%, 0 67%, 0 33%, 33% 33%
  );
}

/* In the empty corner beside the shell: nothing moves when it comes. */
& .svae-badge:not(:empty) {
  position: absolute;
  top: calc(100% + 0.3rem);
  left: 0;
  z-index: 1;
  padding: 0 0.55rem;
  border-radius: 1rem;
  color: white;
  background: #5f6872;
  font-weight: 600;
}

& .svae-card[data-verdict="certified"] .svae-badge {
  background: #007a59;
}

& .svae-card[data-verdict="collapsed"] .svae-badge {
  background: #b34700;
}

& .svae-figures {
  display: flex;
  gap: 0.9rem;
  margin-left: auto !important;
  font-variant-numeric: tabular-nums;
}

@media (max-width: 900px) {
  & .svae-card {
    padding: 0.3rem 0.5rem;
  }

  & .svae-card header {
    flex-wrap: wrap;
  }
}
`,
};

/** @type {Record<string, string>} */
const BADGES = {
  certified: "✓ certified",
  "not certified": "not certified",
  collapsed: "✕ collapsed",
};

/** @implements {View} */
export default class Verdicts {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, theme, recording }) {
    this.scene = scene;
    this.recording = recording;
    this.cards = scene.members.map((member) => this.#card(member));
    element.append(...this.cards.map((card) => card.root));
    this.recolour(theme);
  }

  /** @param {Moment} moment */
  draw(moment) {
    const done = moment.index === this.recording.count - 1 ? this.recording.certificates : [];
    this.cards.forEach((card, m) => {
      const model = done[m] ?? moment.models[m];
      const verdict = done[m]?.verdict ?? "";
      setText(card.loss, number(model.loss));
      setText(card.kl, number(model.kl, 2));
      setText(card.badge, BADGES[verdict] ?? "");
      card.root.dataset.verdict = verdict.replace(" ", "-");
    });
  }

  resize() {}

  /** @param {Theme} theme */
  recolour(theme) {
    this.cards.forEach((card, m) => {
      card.root.style.setProperty("--svae-model", theme.colourOf(this.scene.members[m]));
    });
  }

  dispose() {}

  /** @param {Member} member */
  #card(member) {
    const badge = make("span", { className: "svae-badge" });
    const [loss, kl] = [make("b", {}, "–"), make("b", {}, "–")];
    const title = capitalised(member.name);
    const root = make(
      "article",
      { className: `svae-card svae-${member.symbol}`, "data-method": member.method },
      make(
        "header",
        {},
        make("span", { className: "svae-mark", "aria-hidden": "true" }),
        make("h3", {}, title),
        badge,
        make(
          "p",
          { className: "svae-figures" },
          make("span", { title: "loss, with sampled latents" }, "D ", loss),
          make("span", { title: "mean KL of the posteriors, in nats" }, "KL ", kl),
        ),
      ),
    );
    return { root, badge, loss, kl };
  }
}
