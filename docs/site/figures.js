// Draws the figures of a page with Plotly, in the colours of the page, and again when these change.
"use strict";

(() => {
  const dark = () => document.body.dataset.mdColorScheme === "slate";

  const draw = (figure) => {
    const place = figure.querySelector("[role=img]");
    const made = JSON.parse(figure.querySelector("script").textContent);
    const width = place.clientWidth < 560 ? "narrow" : "wide";
    const { data, layout } = made[`${dark() ? "dark" : "light"}-${width}`];
    // A wheel over a 3-D figure scrolls the page.
    return Plotly.react(place, data, layout, { displaylogo: false, responsive: true, scrollZoom: false });
  };

  const drawAll = () => document.querySelectorAll(".plotly-figure").forEach(draw);

  drawAll();
  new MutationObserver(drawAll).observe(document.body, {
    attributes: true,
    attributeFilter: ["data-md-color-scheme"],
  });
})();
