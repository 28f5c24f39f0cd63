"""Shell: the data on the shell, the clusters, and the error of the inverse map."""

import streamlit as st

from pages.visitor import cache, session
from pages.visitor.markdown import plain
from pages.widgets import settings as controls
from pages.widgets import upload
from pages.widgets.charts import chart, colour_choice, is_narrow
from svae_core.figures import cluster_curves, shell_view

with st.sidebar:
    settings = controls.data_controls()

upload.preview(settings)
problem = cache.problem(settings)
clusters, dark = problem.clusters, session.dark()

st.subheader(f"{plain(problem.dataset.title)}, on the shell")
picture, words = st.columns([2, 1], gap="medium")
with picture:
    after = "On the shell"
    left, right = st.columns([3, 2], vertical_alignment="center")
    colour = colour_choice(problem, right)
    view = left.radio(
        "View",
        [after, "Before: the original data"],
        key="shell.view",
        horizontal=True,
        label_visibility="collapsed",
    )
    draw, describe = (
        (shell_view.shell_view, shell_view.describe_view)
        if view == after
        else (shell_view.raw_view, shell_view.describe_raw_view)
    )
    chart(draw(problem, dark, is_narrow(), colour), describe(problem))
    st.caption(describe(problem))
with words:
    for row in cluster_curves.statistics(clusters):
        for column, (name, value, help) in zip(st.columns(2), row, strict=True):
            column.metric(name, value, help=help)
    st.write(cluster_curves.describe_clusters(clusters))
    st.write(shell_view.describe_shell(problem))
    upload.describe(problem.dataset.notes)

st.subheader("Each cluster, and each start of K-means")
left, right = st.columns([2, 1], gap="medium")
with left:
    chart(
        cluster_curves.per_cluster(clusters, dark),
        cluster_curves.describe_clusters(clusters),
    )
with right:
    spread = cluster_curves.describe_restarts(clusters, problem.region)
    chart(cluster_curves.restarts(clusters, dark), spread)
st.write(spread)

st.subheader("How many clusters?")
proposal = cache.proposal(settings)
sentence = cluster_curves.describe_choice(proposal, clusters.k)
if proposal:
    chart(
        cluster_curves.choosing_k(proposal, clusters.k, dark),
        sentence,
    )
st.write(sentence)
