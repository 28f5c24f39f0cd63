"""Whether charts and tables are whole on screen, by their bounding boxes."""

from __future__ import annotations

from playwright.sync_api import Page

SIZES = ((1366, 768), (1920, 1080), (390, 844))
# Legends, titles and words of charts that stick out of the chart or lie under Plotly's bar, which
# is there while the pointer is; legends that scroll; tables that neither fit nor scroll.
FAULTS = """() => {
  const faults = [];
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  for (const chart of document.querySelectorAll(".js-plotly-plot")) {
    const own = chart.getBoundingClientRect();
    if (!own.width) continue;
    const bars = [...chart.querySelectorAll(".modebar-group")]
      .map((one) => one.getBoundingClientRect());
    const words = ".legend, .cbfills, .g-gtitle, .xtitle, .ytitle, .annotation";
    for (const one of chart.querySelectorAll(words)) {
      const box = one.getBoundingClientRect();
      if (!box.width) continue;
      const what = `${one.getAttribute("class")} ${one.textContent.slice(0, 40)}`;
      const out = box.left < own.left - 1 || box.right > own.right + 1
        || box.top < own.top - 1 || box.bottom > own.bottom + 1;
      if (out) faults.push(`cut: ${what}`);
      if (bars.some((bar) => bar.width && over(bar, box))) faults.push(`under the bar: ${what}`);
    }
    const scrolls = chart.querySelector(".legend .scrollbar")?.getBoundingClientRect().height ?? 0;
    if (scrolls > 2) faults.push("a legend scrolls");
  }
  for (const table of document.querySelectorAll("table")) {
    const scrolls = (element) => element
      && (["auto", "scroll"].includes(getComputedStyle(element).overflowX)
        || scrolls(element.parentElement));
    const wide = table.getBoundingClientRect().right > innerWidth + 1;
    if (wide && !scrolls(table.parentElement)) faults.push(`cut: ${table.innerText.slice(0, 40)}`);
  }
  return faults;
}"""
# Charts have taken the width of their places.
FITTED = """() => [...document.querySelectorAll(".js-plotly-plot")].every((chart) => {
  const mine = chart.getBoundingClientRect();
  const svg = chart.querySelector(".main-svg")?.getBoundingClientRect();
  const inside = mine.right <= innerWidth + 1;
  return !mine.width || (svg && Math.abs(mine.width - svg.width) < 2 && inside);
})"""


def assert_all_is_whole(page: Page) -> None:
    """At every width; the page has the size of before afterwards."""
    before = page.viewport_size
    assert before is not None
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(FITTED)
        assert page.evaluate(FAULTS) == [], f"at {width}"
    page.set_viewport_size(before)
